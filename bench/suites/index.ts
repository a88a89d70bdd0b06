import type { Bench } from '../method/bench.ts';
import type { SuiteResult } from '../method/report.ts';
import type { ServerName } from '../servers/temporal.ts';
import { starts } from './starts.ts';

interface Suite {
  readonly run: (bench: Bench) => Promise<SuiteResult>;
  /** The servers on which it says something. */
  readonly servers: readonly ServerName[];
}

/** The suites by name. */
export const suites: Readonly<Record<string, Suite>> = {
  starts: { run: starts, servers: ['fake', 'dev'] },
};
