import { Client, type Connection } from '@temporalio/client';
import { firstStepOf, type ProcessDefinition } from '../definition/definition.ts';
import type { Actor, Envelope } from '../definition/envelope.ts';
import { implementationOf } from '../definition/implementation.ts';
import { applyAction, queryView } from './actions.ts';
import { dataConverter } from './codec.ts';
import { actionFingerprintOf, fingerprintOf, updateIdOf, workflowIdOf } from './identity.ts';
import { describeInstance, type InstanceSnapshot, within } from './instances.ts';
import { type ListFilter, listInstances } from './lists.ts';
import { fetchResult, pollUntilClosed } from './results.ts';
import { labelOf } from './search-attributes.ts';
import { type EagerStarts, startInstance, type StartOutcome } from './start.ts';
import { createWaits } from './waits.ts';

/** The deadlines of calls to Temporal, in milliseconds. */
export interface Deadlines {
  readonly startMs: number;
  readonly readMs: number;
  readonly actionMs: number;
}

interface GatewayOptions {
  readonly connection: Connection;
  readonly namespace: string;
  readonly deadlines: Deadlines;
  readonly cursorSecret: Uint8Array;
  readonly eagerStarts?: EagerStarts | undefined;
}

/** An instance as HTTP names it: the tenant is always the caller's own. */
interface InstanceAddress {
  readonly definition: ProcessDefinition;
  readonly tenant: string;
  readonly key: string;
}

interface StartCall extends InstanceAddress {
  /** The validated body before defaults: what the fingerprint is made of. */
  readonly body: unknown;
  /** The same body with defaults: what the process gets. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly startedBy: Actor;
  readonly traceparent?: string | undefined;
}

interface ActionRequest extends InstanceAddress {
  readonly action: string;
  readonly body: unknown;
  readonly input: unknown;
  readonly actor: Actor;
  readonly idempotencyKey?: string | undefined;
}

const waitLimits = {
  // A frontend bounds long-running calls per namespace at 1,200 by default.
  maxPolls: 1_000,
  // Of the 2,000 connections that HTTP accepts: nobody who waits keeps others out.
  maxWaiters: 1_000,
  maxWaitersOfTenant: 500,
};

const refOf = ({ definition, tenant, key }: InstanceAddress) => ({ tenant, process: definition.name, key });

/** The door to Temporal. Behind it are workflows, runs and task queues; in front of it processes and instances. */
export function createGateway(options: GatewayOptions) {
  const { connection, namespace, deadlines } = options;
  const client = new Client({ connection, namespace, dataConverter });
  const dependencies = { ...options, client };
  const waits = createWaits({ poll: (id, signal) => pollUntilClosed(dependencies, id, signal), ...waitLimits });

  return {
    /** See {@link startInstance}. */
    start(call: StartCall, signal?: AbortSignal): Promise<StartOutcome> {
      const { definition, tenant, key, startedBy } = call;
      const fingerprint = fingerprintOf({ tenant, process: definition.name, body: call.body });
      const envelope: Envelope<unknown> = {
        input: call.input,
        context: { tenant, key, generation: 1, startedBy, fingerprint, traceparent: call.traceparent },
      };
      const request = {
        ...refOf(call),
        workflow: implementationOf(definition, call),
        taskQueue: definition.taskQueue,
        envelope,
        fingerprint,
        firstStep: firstStepOf(definition),
        labels: labelsOf(definition, call.input),
        startedBy,
      };
      return startInstance(dependencies, request, { deadlineMs: deadlines.startMs, signal });
    },

    /** One Describe; undefined where the tenant has no such instance. */
    async describe(address: InstanceAddress, signal?: AbortSignal): Promise<InstanceSnapshot | undefined> {
      const limits = { deadlineMs: deadlines.readMs, signal };
      return (await describeInstance(dependencies, refOf(address), limits))?.snapshot;
    },

    /** True once the instance has closed, false after `waitMs`. Never fails. */
    untilClosed: (address: InstanceAddress, waitMs: number, signal?: AbortSignal): Promise<boolean> =>
      waits.untilClosed({ tenant: address.tenant, workflowId: workflowIdOf(refOf(address)) }, waitMs, signal),

    /** From now on nobody waits any more, those who do included. */
    endWaits: (): void => waits.end(),

    /** The result of a closed instance; see {@link fetchResult}. */
    result: (address: InstanceAddress, signal?: AbortSignal): Promise<unknown> =>
      fetchResult(dependencies, refOf(address), { deadlineMs: deadlines.readMs, signal }),

    /** See {@link applyAction}. */
    act(request: ActionRequest, signal?: AbortSignal): Promise<unknown> {
      const { action, actor, body, input, idempotencyKey } = request;
      const fingerprint = actionFingerprintOf({ actor, body });
      return applyAction(
        dependencies,
        refOf(request),
        {
          name: action,
          updateId: updateIdOf(action, idempotencyKey, fingerprint),
          call: { input, actor, fingerprint },
        },
        { deadlineMs: deadlines.actionMs, signal },
      );
    },

    /** See {@link queryView}. */
    view: (address: InstanceAddress, view: string, signal?: AbortSignal): Promise<unknown> =>
      queryView(dependencies, refOf(address), view, { deadlineMs: deadlines.readMs, signal }),

    /** One page of a tenant's instances. */
    list: (
      request: {
        definition: ProcessDefinition;
        tenant: string;
        filter: ListFilter;
        limit: number;
        cursor?: string | undefined;
      },
      signal?: AbortSignal,
    ) =>
      listInstances(
        dependencies,
        { ...request, process: request.definition.name },
        { deadlineMs: deadlines.readMs, signal },
      ),

    /** How many instances of a process run, over all tenants. Counts are rationed by Temporal: ask seldom. */
    async countOpen(process: string): Promise<number> {
      const query = `PorticoProcess = '${process}' AND ExecutionStatus = 'Running'`;
      const { count } = await within(connection, { deadlineMs: deadlines.readMs }, () =>
        connection.workflowService.countWorkflowExecutions({ namespace, query }),
      );
      return Number(count);
    },

    /** Rejects unless Temporal's frontend says that it serves. */
    async check(): Promise<void> {
      await within(connection, { deadlineMs: 1_000 }, () =>
        connection.healthService.check({ service: 'temporal.api.workflowservice.v1.WorkflowService' }),
      );
    },
  };
}

export type Gateway = ReturnType<typeof createGateway>;

function labelsOf(definition: ProcessDefinition, input: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(definition.labels).flatMap(([name, field]) => {
    const value = input[field];
    return typeof value === 'string' ? [labelOf(name, value)] : [];
  });
}
