import { writeFileSync } from 'node:fs';
import { createLogger } from '../src/observability/logger.ts';
import { bundleWorkflows } from '../src/worker/bundle.ts';

/** `bundle.ts <file>`: writes what `PORTICO_WORKFLOW_BUNDLE` names, so that a worker need not bundle at start. */
const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: bundle.ts <file>');
writeFileSync(file, await bundleWorkflows({ logger: createLogger({ level: 'warn' }) }));
