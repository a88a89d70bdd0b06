import type { InstanceSnapshot } from '../orchestration/instances.ts';
import type { ProcessDefinition } from './definition.ts';
import { type Hold, lateRowMs, type PermanentRow, type PermanentRowsByName, rowsOf } from './permanent-row.ts';
import { interruptedStep } from './reserved-names.ts';

/** An instance as its callers are told it. */
export interface Told extends InstanceSnapshot {
  /** Where the permanent row gave it; otherwise the gateway has it. */
  readonly result?: unknown;
  readonly hold?: Hold | undefined;
}

interface Instances {
  readonly definition: ProcessDefinition;
  readonly tenant: string;
}

/** Whose start it was that ended in conflict: to its own caller the conflict is the truth, to all others the row is. */
interface Listener {
  readonly ownsConflict?: boolean;
}

/**
 * Puts right what the engine cannot know: an instance that it closed is not final while its permanent row has no
 * outcome. One query for all, and none where no instance needs it. Throws `database-unavailable`.
 */
export async function tell(
  { definition, tenant }: Instances,
  snapshots: readonly InstanceSnapshot[],
  permanentRows: PermanentRowsByName,
  listener: Listener = {},
): Promise<Told[]> {
  const rows = rowsOf(definition, permanentRows);
  const doubtful = rows === undefined ? [] : snapshots.filter((snapshot) => isDoubtful(definition, snapshot, listener));
  if (rows === undefined || doubtful.length === 0) return [...snapshots];
  const found = await rows.find(
    tenant,
    doubtful.map(({ id }) => id),
  );
  return snapshots.map((snapshot) =>
    doubtful.includes(snapshot) ? toldBy(found.get(snapshot.id), snapshot) : snapshot,
  );
}

/** Does for one instance what {@link tell} does for many. */
export async function tellOne(
  instances: Instances,
  snapshot: InstanceSnapshot,
  permanentRows: PermanentRowsByName,
  listener: Listener = {},
): Promise<Told> {
  const [told = snapshot] = await tell(instances, [snapshot], permanentRows, listener);
  return told;
}

/** The instance of a key that the engine has forgotten, as its row tells it; undefined without a row. */
export async function tellForgotten(
  { definition, tenant }: Instances,
  key: string,
  permanentRows: PermanentRowsByName,
): Promise<Told | undefined> {
  const row = (await rowsOf(definition, permanentRows)?.find(tenant, [key]))?.get(key);
  return row === undefined ? undefined : toldByRow(row);
}

/** An instance of which nothing but its row is known: its runs are forgotten. */
export const toldByRow = ({ key, openedAt, end, hold }: PermanentRow): Told => ({
  id: key,
  startedAt: openedAt.toISOString(),
  ...(end === undefined
    ? { status: 'running', step: interruptedStep, hold }
    : { status: 'closed', outcome: end.result.outcome, closedAt: end.endedAt.toISOString(), result: end.result }),
});

/** Whether the instance goes on only once somebody resumes it: waiting for it is in vain. */
export const isInterrupted = ({ step }: InstanceSnapshot): boolean => step === interruptedStep;

function isDoubtful(
  { permanentRow }: ProcessDefinition,
  snapshot: InstanceSnapshot,
  { ownsConflict = false }: Listener,
) {
  if (snapshot.status === 'running') return false;
  return snapshot.endedBy === 'engine' || (!ownsConflict && snapshot.outcome === permanentRow?.conflict);
}

function toldBy(row: PermanentRow | undefined, snapshot: InstanceSnapshot): Told {
  const { id, runId, startedAt, endedBy, closedAt } = snapshot;
  // The row is of another payload than the run: of its own runs none is known.
  if (row !== undefined && endedBy === 'process') return toldByRow(row);
  if (row !== undefined) return { ...toldByRow(row), ...(runId === undefined ? {} : { runId }), startedAt };
  if (endedBy === 'process' || !canStillGetRow(closedAt)) return snapshot;
  return { id, ...(runId === undefined ? {} : { runId }), startedAt, status: 'running', step: interruptedStep };
}

const canStillGetRow = (closedAt: string | undefined): boolean =>
  closedAt === undefined || Date.now() - Date.parse(closedAt) < lateRowMs;
