import { Parser, fromFile } from '@asyncapi/parser';
const parser = new Parser();
const { document, diagnostics } = await fromFile(parser, process.argv[2]).parse();
const errors = diagnostics.filter(d => d.severity === 0);
for (const d of diagnostics.slice(0,10)) console.log(d.severity, d.code, d.message, d.path.join('.'));
console.log('diagnostics', diagnostics.length, 'errors', errors.length, 'document', !!document, document ? document.allMessages().length : 0);
process.exit(errors.length || !document ? 1 : 0);
