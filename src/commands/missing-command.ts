import { parseArgs } from 'node:util';
import { createAdapters, toldEndsIn } from '../adapters/index.ts';
import { catalog } from '../catalog/index.ts';
import { type Environment, parseConfig } from '../config/config.ts';
import { connectDatabase } from '../database/database.ts';
import { createLogger } from '../observability/logger.ts';
import { createConnection, temporalSettingsOf } from '../orchestration/connection.ts';
import { createGateway } from '../orchestration/gateway.ts';
import { findMissing } from './missing.ts';

/** What the command answers to the shell. */
const exitCodes = { nothingMissing: 0, somethingMissing: 1, couldNotLook: 2 } as const;

/**
 * Tells on standard output which instances that closed since a time the database does not keep as they were told. Resolves
 * to the exit code, and never rejects: what keeps the command from looking is told on standard error.
 */
export async function missingCommand(args: readonly string[], environment: Environment): Promise<number> {
  try {
    const since = sinceOf(args);
    return (await search(since, environment)) ? exitCodes.nothingMissing : exitCodes.somethingMissing;
  } catch (error) {
    process.stderr.write(`missing could not look, or not at everything: ${reasonOf(error)}\n`);
    return exitCodes.couldNotLook;
  }
}

function sinceOf(args: readonly string[]): Date {
  const { values } = parseArgs({ args: [...args], options: { since: { type: 'string' } } });
  const { since = '' } = values;
  const isTimestamp = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(since);
  if (!isTimestamp || Number.isNaN(Date.parse(since))) {
    throw new Error('it takes --since with a time in RFC 3339, such as --since 2026-01-01T00:00:00Z');
  }
  return new Date(since);
}

async function search(since: Date, environment: Environment): Promise<boolean> {
  // What a worker is told is enough, and what only serves callers or migrates is of no matter here.
  const config = parseConfig({ ...environment, ROLE: 'worker', DATABASE_OWNER_URL: undefined }, catalog);
  const { namespace, startDeadlineMs, readDeadlineMs } = config.temporal;
  const temporal = temporalSettingsOf({ TEMPORAL_NAMESPACE: namespace, ...config.temporal.environment.reveal() });
  // Standard output is for the findings.
  const logger = createLogger({ level: config.logLevel, destination: process.stderr });
  const { url, connectTimeoutMs } = config.database;
  const database = connectDatabase({ url: url.reveal(), poolMax: 1, connectTimeoutMs, logger });
  const { connection, close } = createConnection({ settings: temporal.connection, observe: () => undefined });
  try {
    return await findMissing({
      definitions: catalog,
      toldEnds: toldEndsIn(createAdapters({ database, settingsOf: config.settingsOf })),
      gateway: createGateway({
        connection,
        namespace: temporal.namespace,
        deadlines: { startMs: startDeadlineMs, readMs: readDeadlineMs, actionMs: startDeadlineMs },
      }),
      since,
      write: (line) => process.stdout.write(`${JSON.stringify(line)}\n`),
    });
  } finally {
    await Promise.all([close(), database.close()]);
  }
}

/** What failed, with its causes. */
function reasonOf(error: unknown): string {
  const reasons: string[] = [];
  for (let current = error; current instanceof Error; current = current.cause) reasons.push(current.message);
  return reasons.length === 0 ? 'it failed' : reasons.join(': ');
}
