import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.Arrays;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** Which program takes cases through their steps on Kafka Streams? Five processors in a row with one store. */
public class Cases {
    private static final String[] STEPS = {"open", "classify", "assign", "notify", "close"};
    private static final String STORE = "cases";
    private static final ObjectMapper JSON = new ObjectMapper();

    /** {@code Cases KAFKA PREFIX FOLDER [SETTING=VALUE ...]} runs until it is told to end. */
    public static void main(String[] given) {
        var streams = new KafkaStreams(topology(given[1]), settings(given));
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static Properties settings(String[] given) {
        var settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, given[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, given[1] + "streams");
        settings.put(StreamsConfig.STATE_DIR_CONFIG, given[2]);
        settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        for (var chosen : Arrays.asList(given).subList(3, given.length)) {
            var parts = chosen.split("=", 2);
            settings.put(parts[0], parts[1]);
        }
        return settings;
    }

    private static Topology topology(String prefix) {
        var topology = new Topology();
        var before = "contacts";
        topology.addSource(before, Serdes.String().deserializer(), Serdes.ByteArray().deserializer(), prefix + before);
        for (var name : STEPS) {
            topology.addProcessor(name, new Step(name), before);
            before = name;
        }
        var store = Stores.persistentKeyValueStore(STORE);
        topology.addStateStore(Stores.keyValueStoreBuilder(store, Serdes.String(), Serdes.ByteArray()), STEPS);
        topology.addSink(
                "closed", prefix + "closed", Serdes.String().serializer(), Serdes.ByteArray().serializer(), before);
        return topology;
    }

    private record Step(String name) implements ProcessorSupplier<String, byte[], String, byte[]> {
        @Override
        public Processor<String, byte[], String, byte[]> get() {
            return new Processor<>() {
                private ProcessorContext<String, byte[]> context;
                private KeyValueStore<String, byte[]> cases;

                @Override
                public void init(ProcessorContext<String, byte[]> given) {
                    context = given;
                    cases = given.getStateStore(STORE);
                }

                @Override
                public void process(Record<String, byte[]> record) {
                    var done = done(record.value());
                    cases.put(record.key(), done);
                    context.forward(record.withValue(done));
                }
            };
        }

        private byte[] done(byte[] event) {
            try {
                var fields = (ObjectNode) JSON.readTree(event);
                return JSON.writeValueAsBytes(fields.put("state", name).put("at", Instant.now().toString()));
            } catch (IOException problem) {
                throw new UncheckedIOException(problem);
            }
        }
    }
}
