import type { Bench } from '../method/bench.ts';
import type { SuiteResult } from '../method/report.ts';
import type { ServerName } from '../servers/temporal.ts';
import { duplicates } from './duplicates.ts';
import { layers } from './layers.ts';
import { overload } from './overload.ts';
import { reads } from './reads.ts';
import { refusals } from './refusals.ts';
import { soak } from './soak.ts';
import { startUp } from './start-up.ts';
import { starts } from './starts.ts';
import { transfers } from './transfers.ts';
import { waits } from './waits.ts';

interface Suite {
  readonly run: (bench: Bench) => Promise<SuiteResult>;
  /** The servers on which it says something. */
  readonly servers: readonly ServerName[];
}

/** The suites by name. */
export const suites: Readonly<Record<string, Suite>> = {
  duplicates: { run: duplicates, servers: ['fake', 'dev'] },
  layers: { run: layers, servers: ['fake'] },
  overload: { run: overload, servers: ['fake'] },
  reads: { run: reads, servers: ['fake', 'dev'] },
  refusals: { run: refusals, servers: ['fake', 'dev'] },
  soak: { run: soak, servers: ['fake'] },
  'start-up': { run: startUp, servers: ['fake', 'dev'] },
  starts: { run: starts, servers: ['fake', 'dev'] },
  transfers: { run: transfers, servers: ['dev'] },
  waits: { run: waits, servers: ['dev'] },
};
