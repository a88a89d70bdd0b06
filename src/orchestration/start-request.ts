import { hostname } from 'node:os';
import proto from '@temporalio/proto';
import { type Details, firstStepOf, type ProcessDefinition } from '../definition/definition.ts';
import type { Actor, Envelope } from '../definition/envelope.ts';
import { implementationOf } from '../definition/implementation.ts';
import { type InstanceAddress, refOf } from './address.ts';
import { encode, encodeAll } from './codec.ts';
import { requestIdOf, workflowIdOf } from './identity.ts';
import { labelOf, startAttributes } from './search-attributes.ts';

/** A start as its callers ask for it. */
export interface StartCall extends InstanceAddress {
  /** The validated body before defaults: what the fingerprint is made of. */
  readonly body: unknown;
  /** The same body with defaults: what the process gets. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly startedBy: Actor;
  /** Others by whose request it is started: they decide about the instance no more than the starter. */
  readonly alsoAskedBy?: readonly Actor[] | undefined;
  /** What the definition's `prepare` gave. */
  readonly details?: Details | undefined;
  /** RFC 3339; the time of the call where it is not given. */
  readonly startedAt?: string | undefined;
  readonly traceparent?: string | undefined;
  /** Of the first start, where it is known; otherwise made of the body. */
  readonly fingerprint?: string | undefined;
  /** Lets a closed instance of the same key give way to this one. */
  readonly replacesClosed?: boolean | undefined;
}

export type RawStart = proto.temporal.api.workflowservice.v1.IStartWorkflowExecutionRequest;

const { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } = proto.temporal.api.enums.v1;

// Shown by Temporal's own tools as the creator of a run.
const identity = `portico@${hostname()}`;

/** The same start in Temporal's terms. Each result has a request id of its own. */
export async function toRawStart(
  call: StartCall,
  facts: { readonly namespace: string; readonly fingerprint: string; readonly startedAt: string },
): Promise<RawStart> {
  const { definition, tenant, startedBy, alsoAskedBy = [], traceparent, details } = call;
  const { namespace, fingerprint, startedAt } = facts;
  const ref = refOf(call);
  const envelope: Envelope<unknown> = {
    input: call.input,
    context: {
      tenant,
      key: ref.key,
      generation: ref.generation,
      startedBy,
      ...(alsoAskedBy.length === 0 ? {} : { alsoAskedBy }),
      fingerprint,
      traceparent,
    },
    ...(details === undefined ? {} : { details }),
  };
  const { input, ...memo } = await encodeAll({ input: envelope, fingerprint, startedAt, startedBy });
  const attributes = { tenant, process: ref.process, step: firstStepOf(definition), labels: labelsOf(call) };
  return {
    namespace,
    identity,
    workflowId: workflowIdOf(ref),
    workflowType: { name: implementationOf(definition, call) },
    taskQueue: { name: definition.taskQueue },
    input: { payloads: [input] },
    memo: { fields: details === undefined ? memo : { ...memo, details: await encode(details) } },
    searchAttributes: { indexedFields: startAttributes(attributes) },
    requestId: requestIdOf(fingerprint),
    workflowIdReusePolicy:
      call.replacesClosed === true
        ? WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
        : WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
  };
}

const labelsOf = ({ definition, input }: { definition: ProcessDefinition; input: StartCall['input'] }): string[] =>
  Object.entries(definition.labels).flatMap(([name, field]) => {
    const value = input[field];
    return typeof value === 'string' ? [labelOf(name, value)] : [];
  });
