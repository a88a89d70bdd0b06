/** The verbs that every process serves. Its permissions are `{process}:start` and `{process}:read`. */
const generalVerbs = ['start', 'read', 'list', 'result', 'hold'] as const;

/** Verbs that no process may take, since every process will serve them one day. */
const plannedVerbs = ['timeline', 'events', 'rerun', 'pause', 'resume', 'terminate', 'retry'] as const;

/** The resources that are no process: their names are those of addresses and of permissions. */
export const reservedCollections: ReadonlySet<string> = new Set([
  ...['accounts', 'batch', 'events', 'endpoints', 'per-item', 'schedule-previews', 'schedules', 'suspense', 'users'],
]);

/** The filters that every list takes, beside the labels of its definition. */
export const generalFilters = [
  'status',
  'step',
  'outcome',
  'startedAfter',
  'startedBefore',
  'limit',
  'cursor',
] as const;

export type GeneralFilter = (typeof generalFilters)[number];

/** The step of an instance that has stopped before its permanent row had an outcome. No definition may declare it. */
export const interruptedStep = 'interrupted';

/** What no action and no view may be called. */
export const reservedVerbs: ReadonlySet<string> = new Set([...generalVerbs, ...plannedVerbs]);

/** What no detail may be called: the fields that answers have of every instance. */
export const reservedFields: ReadonlySet<string> = new Set([
  ...['id', 'runId', 'status', 'step', 'outcome', 'startedAt', 'closedAt'],
  ...['hold', 'links', 'result', 'output'],
]);

/** What no label may be called. */
export const reservedFilters: ReadonlySet<string> = new Set(generalFilters);
