import { writeFileSync } from 'node:fs';
import { createLogger } from '../src/observability/logger.ts';
import { bundleWorkflows } from '../src/worker/bundle.ts';

/** `bundle.ts <file>`: writes the workflow bundle, which `PORTICO_WORKFLOW_BUNDLE` names for a faster start. */
const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: bundle.ts <file>');
writeFileSync(file, await bundleWorkflows({ logger: createLogger({ level: 'warn' }) }));
