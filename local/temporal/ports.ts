import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { freePort, listenErrorOf } from '../../src/worker/free-port.ts';
import { StartError } from '../start-error.ts';
import { host } from './dev-server.ts';

const port = z.number().int().min(1).max(65_535);
const record = z.object({
  port,
  uiPort: port,
  /** Absent until the server has served for the first time. */
  clusterId: z.string().optional(),
  /** True from the making of the database until the server has served with it. */
  isFresh: z.boolean().optional(),
  /** The process, with what tells it from a later one of the same id. The first release noted none. */
  process: z.object({ pid: z.number(), identity: z.string() }).optional(),
});

/** What a state folder remembers of its Temporal server between runs. */
export type ServerRecord = z.output<typeof record>;
export type ServerPorts = Pick<ServerRecord, 'port' | 'uiPort'>;

/** Undefined if the folder never had a server, or its record cannot be read. */
export function readRecord(folder: string): ServerRecord | undefined {
  try {
    return record.parse(JSON.parse(readFileSync(recordIn(folder), 'utf8')));
  } catch {
    return undefined;
  }
}

export function writeRecord(folder: string, content: ServerRecord): void {
  const draft = `${recordIn(folder)}.draft`;
  writeFileSync(draft, `${JSON.stringify(content, undefined, 2)}\n`);
  renameSync(draft, recordIn(folder));
}

/**
 * The ports a new server shall have: `wanted` with the Web UI a thousand above, else those of last time, else
 * Temporal's usual ones; a free one in place of each that is taken. Throws if `wanted` is taken.
 */
export async function choosePorts(folder: string, wanted: number | undefined): Promise<ServerPorts> {
  if (wanted !== undefined && !(await isFree(wanted))) {
    throw new StartError(`Port ${wanted} is taken: set TEMPORAL_DEV_PORT to a free one.`);
  }
  const usual = wanted ?? 7_233;
  const last = wanted === undefined ? readRecord(folder) : undefined;
  return {
    port: await orFree(last?.port ?? usual),
    uiPort: await orFree(last?.uiPort ?? usual + 1_000),
  };
}

/** True if the port of this address can be listened on at this moment. */
export const isFree = async (number: number, address: string = host): Promise<boolean> =>
  (await listenErrorOf(number, address)) === undefined;

const orFree = async (wished: number): Promise<number> => ((await isFree(wished)) ? wished : freePort());
const recordIn = (folder: string) => join(folder, 'server.json');
