import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Connection } from '@temporalio/client';
import { Problem } from '../problems.ts';
import { readProblemOf } from './failures.ts';
import { type CallLimits, type generalOutcomes, type InstanceSnapshot, toSnapshot, within } from './instances.ts';
import { labelOf } from './search-attributes.ts';
import { supersededRunsOf } from './superseded-runs.ts';

/** What a list may be narrowed to. All values are from closed sets or of the key alphabet; dates are real dates. */
export interface ListFilter {
  readonly status?: 'running' | 'closed' | undefined;
  readonly step?: string | undefined;
  readonly outcome?: string | undefined;
  readonly startedAfter?: Date | undefined;
  readonly startedBefore?: Date | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ListRequest {
  readonly tenant: string;
  readonly process: string;
  readonly filter: ListFilter;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

interface ListDependencies {
  readonly connection: Connection;
  readonly namespace: string;
  /** Signs cursors; the same in every replica. */
  readonly cursorSecret: Uint8Array;
}

/** One page, newest first, each instance once. A page can hold fewer than `limit` items although another follows. */
export async function listInstances(
  { connection, namespace, cursorSecret }: ListDependencies,
  request: ListRequest,
  limits: CallLimits,
): Promise<{ items: InstanceSnapshot[]; cursor?: string }> {
  const query = visibilityQueryOf(request);
  const nextPageToken = request.cursor === undefined ? undefined : openCursor(cursorSecret, query, request.cursor);
  try {
    const page = await within(connection, limits, () =>
      connection.workflowService.listWorkflowExecutions({ namespace, query, pageSize: request.limit, nextPageToken }),
    );
    const superseded = await supersededRunsOf({ connection, namespace }, page.executions, limits);
    const items = await Promise.all(
      page.executions.map(async (info) => {
        const { snapshot, tenant } = await toSnapshot(info);
        return tenant === request.tenant && !superseded.has(info.execution?.runId ?? '') ? [snapshot] : [];
      }),
    );
    const token = page.nextPageToken;
    return {
      items: items.flat(),
      ...(token.length > 0 ? { cursor: sealCursor(cursorSecret, query, token) } : {}),
    };
  } catch (error) {
    throw readProblemOf(error);
  }
}

const closedStatuses = "('Completed', 'Failed', 'Canceled', 'Terminated', 'TimedOut')";
const statusOfGeneralOutcome: Readonly<Record<(typeof generalOutcomes)[number], string>> = {
  failed: 'Failed',
  cancelled: 'Canceled',
  terminated: 'Terminated',
  'timed-out': 'TimedOut',
};

/**
 * The filter in Temporal's language. It is built from values of closed alphabets alone and refuses any other: in that
 * language a backslash escapes, so quoting cannot be trusted.
 */
export function visibilityQueryOf({ tenant, process, filter }: Omit<ListRequest, 'limit' | 'cursor'>): string {
  const clauses = [
    `PorticoTenant = ${literal(tenant)}`,
    `PorticoProcess = ${literal(process)}`,
    filter.status === 'running' ? "ExecutionStatus = 'Running'" : undefined,
    filter.status === 'closed' ? `ExecutionStatus IN ${closedStatuses}` : undefined,
    filter.status === undefined ? "ExecutionStatus != 'ContinuedAsNew'" : undefined,
    filter.step === undefined ? undefined : `PorticoStep = ${literal(filter.step)} AND ExecutionStatus = 'Running'`,
    filter.outcome === undefined ? undefined : outcomeClause(filter.outcome),
    filter.startedAfter === undefined ? undefined : `StartTime >= '${filter.startedAfter.toISOString()}'`,
    filter.startedBefore === undefined ? undefined : `StartTime < '${filter.startedBefore.toISOString()}'`,
    ...Object.entries(filter.labels).map(([name, value]) => `PorticoLabels = ${literal(labelOf(name, value))}`),
  ];
  return clauses
    .filter((clause) => clause !== undefined)
    .map((clause) => `(${clause})`)
    .join(' AND ');
}

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

const signatureOf = (secret: Uint8Array, query: string, token: Uint8Array): Buffer =>
  createHmac('sha256', secret).update(query).update('\0').update(token).digest();

const sealCursor = (secret: Uint8Array, query: string, token: Uint8Array): string =>
  `${Buffer.from(token).toString('base64url')}.${signatureOf(secret, query, token).toString('base64url')}`;

/** A cursor is good for the query it was given for, tenant included, and for nothing else. */
function openCursor(secret: Uint8Array, query: string, cursor: string): Uint8Array {
  const [token, signature] = cursor.split('.').map((part) => Buffer.from(part, 'base64url'));
  const expected = token && signatureOf(secret, query, token);
  if (!token || !signature || signature.length !== expected?.length || !timingSafeEqual(signature, expected)) {
    throw new Problem('invalid-cursor');
  }
  return token;
}
