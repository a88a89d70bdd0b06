import type { Bench } from '../method/bench.ts';
import type { SuiteResult } from '../method/report.ts';
import type { ServerName } from '../servers/temporal.ts';
import { accounts } from './accounts.ts';
import { batch } from './batch.ts';
import { depth } from './depth.ts';
import { duplicates } from './duplicates.ts';
import { eager } from './eager.ts';
import { history } from './history.ts';
import { layers } from './layers.ts';
import { open } from './open.ts';
import { overload } from './overload.ts';
import { reads } from './reads.ts';
import { refusals } from './refusals.ts';
import { soak } from './soak.ts';
import { startUp } from './start-up.ts';
import { starts } from './starts.ts';
import { transfers } from './transfers.ts';
import { waits } from './waits.ts';
import { webhooks } from './webhooks.ts';
import { worker } from './worker.ts';

interface Suite {
  readonly run: (bench: Bench) => Promise<SuiteResult>;
  /** The servers on which it says something. */
  readonly servers: readonly ServerName[];
}

/** The suites by name. */
export const suites: Readonly<Record<string, Suite>> = {
  accounts: { run: accounts, servers: ['dev', 'cluster'] },
  batch: { run: batch, servers: ['fake', 'dev', 'cluster'] },
  depth: { run: depth, servers: ['dev', 'cluster'] },
  eager: { run: eager, servers: ['dev', 'cluster'] },
  history: { run: history, servers: ['dev', 'cluster'] },
  open: { run: open, servers: ['dev', 'cluster'] },
  duplicates: { run: duplicates, servers: ['fake', 'dev', 'cluster'] },
  layers: { run: layers, servers: ['fake'] },
  overload: { run: overload, servers: ['fake'] },
  reads: { run: reads, servers: ['fake', 'dev', 'cluster'] },
  refusals: { run: refusals, servers: ['fake', 'dev', 'cluster'] },
  soak: { run: soak, servers: ['fake'] },
  'start-up': { run: startUp, servers: ['fake', 'dev', 'cluster'] },
  starts: { run: starts, servers: ['fake', 'dev', 'cluster'] },
  transfers: { run: transfers, servers: ['dev', 'cluster'] },
  waits: { run: waits, servers: ['dev', 'cluster'] },
  webhooks: { run: webhooks, servers: ['fake'] },
  worker: { run: worker, servers: ['dev', 'cluster'] },
};
