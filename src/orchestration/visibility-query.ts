import type { generalOutcomes } from './instances.ts';
import { labelOf } from './search-attributes.ts';

/** What a list may be narrowed to. All values are from closed sets or of the key alphabet; dates are real dates. */
export interface ListFilter {
  readonly status?: 'running' | 'closed' | undefined;
  readonly step?: string | undefined;
  readonly outcome?: string | undefined;
  /** Those that Temporal closed without an outcome of their own. */
  readonly isStopped?: boolean | undefined;
  readonly startedAfter?: Date | undefined;
  readonly startedBefore?: Date | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

const closedStatuses = "('Completed', 'Failed', 'Canceled', 'Terminated', 'TimedOut')";
const stoppedStatuses = "('Failed', 'Canceled', 'Terminated', 'TimedOut')";
const isRunning = "ExecutionStatus = 'Running'";

/**
 * The instances of one tenant and process, in Temporal's query language. In that language a backslash escapes, so quotes
 * protect nothing: a value outside the key alphabet throws a RangeError.
 */
export function visibilityQueryOf(request: { tenant: string; process: string; filter: ListFilter }): string {
  const { tenant, process: processName, filter } = request;
  return allOf([
    `PorticoTenant = ${literal(tenant)}`,
    `PorticoProcess = ${literal(processName)}`,
    filter.status === 'running' ? isRunning : undefined,
    filter.status === 'closed' ? `ExecutionStatus IN ${closedStatuses}` : undefined,
    filter.status === undefined ? "ExecutionStatus != 'ContinuedAsNew'" : undefined,
    filter.step === undefined ? undefined : `PorticoStep = ${literal(filter.step)} AND ${isRunning}`,
    filter.isStopped === true ? `ExecutionStatus IN ${stoppedStatuses}` : undefined,
    filter.outcome === undefined ? undefined : outcomeClause(filter.outcome),
    filter.startedAfter === undefined ? undefined : `StartTime >= '${filter.startedAfter.toISOString()}'`,
    filter.startedBefore === undefined ? undefined : `StartTime < '${filter.startedBefore.toISOString()}'`,
    ...Object.entries(filter.labels).map(([name, value]) => `PorticoLabels = ${literal(labelOf(name, value))}`),
  ]);
}

/** The running instances of a process, over all tenants: all of them, or those at one step. */
export const openInstancesQueryOf = (processName: string, step?: string): string =>
  allOf([
    `PorticoProcess = ${literal(processName)}`,
    isRunning,
    step === undefined ? undefined : `PorticoStep = ${literal(step)}`,
  ]);

/** The running instances of a process that belong to one tenant. */
export const openOfTenantQueryOf = (processName: string, tenant: string): string =>
  allOf([`PorticoTenant = ${literal(tenant)}`, `PorticoProcess = ${literal(processName)}`, isRunning]);

/** The instances of a process that closed at that time or later, over all tenants. */
export const closedInstancesQueryOf = (processName: string, since: Date): string =>
  allOf([
    `PorticoProcess = ${literal(processName)}`,
    `ExecutionStatus IN ${closedStatuses}`,
    `CloseTime >= '${since.toISOString()}'`,
  ]);

/** The schedules of one tenant. The engine keeps them apart from instances. */
export const schedulesQueryOf = (tenant: string): string => `PorticoTenant = ${literal(tenant)}`;

/** The same schedules, in a query for workflows, which can be counted. */
export const openSchedulesQueryOf = (tenant: string): string =>
  allOf([schedulesQueryOf(tenant), "TemporalNamespaceDivision = 'TemporalScheduler'", isRunning]);

const allOf = (clauses: readonly (string | undefined)[]): string =>
  clauses
    .filter((clause) => clause !== undefined)
    .map((clause) => `(${clause})`)
    .join(' AND ');

const statusOfGeneralOutcome: Readonly<Record<(typeof generalOutcomes)[number], string>> = {
  failed: 'Failed',
  cancelled: 'Canceled',
  terminated: 'Terminated',
  'timed-out': 'TimedOut',
};

function outcomeClause(outcome: string): string {
  const published = `PorticoOutcome = ${literal(outcome)} AND ExecutionStatus = 'Completed'`;
  const isGeneral = (value: string): value is keyof typeof statusOfGeneralOutcome =>
    Object.hasOwn(statusOfGeneralOutcome, value);
  return isGeneral(outcome) ? `(${published}) OR ExecutionStatus = '${statusOfGeneralOutcome[outcome]}'` : published;
}

function literal(value: string): string {
  if (!/^[A-Za-z0-9._:-]{1,255}$/.test(value))
    throw new RangeError('a list filter has a character that is not allowed');
  return `'${value}'`;
}
