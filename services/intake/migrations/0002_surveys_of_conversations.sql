-- Every batch of messages asks for the surveys of its conversations: without this the whole table is read each time.
CREATE INDEX surveys_conversation_id ON surveys (conversation_id) WHERE conversation_id IS NOT NULL;
