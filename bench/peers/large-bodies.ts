import { catalog } from '../../src/catalog/index.ts';
import { run } from '../../src/service.ts';

/** The service as it is, but that every process takes starts of 64 kB. */
await run(process.env, { definitions: catalog.map((each) => ({ ...each, maxBodyBytes: 65_536 })) });
