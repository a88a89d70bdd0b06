import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { constants, createServer, type ServerHttp2Stream } from 'node:http2';
import type { Server } from 'node:net';
import { gunzipSync } from 'node:zlib';
import proto from '@temporalio/proto';

/**
 * A Temporal frontend that answers at once and runs nothing: what is left to measure is what its clients cost. It keeps
 * the last starts, so that an id is taken as long as it is known. A program of its own: it prints
 * `{"address","adminUrl"}` in one line, and ends with the process that forked it. Its admin listener tells how many calls
 * of each method came (`GET /counts`) and forgets them and the starts (`POST /reset`).
 */
const api = proto.temporal.api;
const service = api.workflowservice.v1;

/** Ids of more starts than this are forgotten, the oldest first. */
const keptStarts = 20_000;

/** `WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING` */
const useExisting = 2;

const counts = new Map<string, number>();
/** Polls that wait for work, of which there is none. */
const polls = new Set<ServerHttp2Stream>();

type Answer = { readonly bytes: Buffer } | { readonly code: number; readonly detail?: Buffer };

interface Start {
  readonly requestId: string;
  readonly runId: string;
  readonly request: Buffer;
}
/** Two generations: the older one is dropped whole. */
let young = new Map<string, Start>();
let old = young;
let runs = 0;

const ok = (message: Uint8Array): Answer => ({ bytes: framed(message) });
const failed = (code: number, detail: string, value: Uint8Array): Answer => ({
  code,
  detail: Buffer.from(
    proto.google.rpc.Status.encode({
      code,
      details: [{ type_url: `type.googleapis.com/temporal.api.errordetails.v1.${detail}`, value }],
    }).finish(),
  ),
});

/** A message as gRPC sends it: uncompressed, with its length. */
function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(5 + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

const capabilities = { eagerWorkflowStart: true, signalAndQueryHeader: true, sdkMetadata: true, upsertMemo: true };
const namespaceInfo = { name: 'default', id: 'fake', state: 1, capabilities };
const keyword = api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;
const customAttributes = {
  ...Object.fromEntries(['Tenant', 'Process', 'Step', 'Outcome'].map((name) => [`Portico${name}`, keyword])),
  PorticoLabels: api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
};
const { UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED: stage } =
  api.enums.v1.UpdateWorkflowExecutionLifecycleStage;
const applied = { outcome: { success: {} }, stage };
const nothing = ok(Buffer.alloc(0));
const encoded: Readonly<Record<string, Answer>> = {
  // HealthCheckResponse { status: SERVING }
  Check: ok(Buffer.from([8, 1])),
  GetSystemInfo: ok(service.GetSystemInfoResponse.encode({ serverVersion: '1.29.1', capabilities }).finish()),
  DescribeNamespace: ok(service.DescribeNamespaceResponse.encode({ namespaceInfo, config: {} }).finish()),
  ListSearchAttributes: ok(api.operatorservice.v1.ListSearchAttributesResponse.encode({ customAttributes }).finish()),
  CountWorkflowExecutions: nothing,
  ListWorkflowExecutions: nothing,
  RecordWorkerHeartbeat: nothing,
  UpdateWorkflowExecution: ok(service.UpdateWorkflowExecutionResponse.encode(applied).finish()),
};

/** Ready bytes: an answer differs in the last digits of its run id alone. */
const runId0 = '00000000-0000-4000-8000-000000000000';
const freshStart = framed(service.StartWorkflowExecutionResponse.encode({ runId: runId0, started: true }).finish());
const runIdAt = freshStart.indexOf(runId0);

function start(request: Buffer): Answer {
  const { workflowId, requestId, conflictPolicy } = startFieldsOf(request);
  const existing = young.get(workflowId) ?? old.get(workflowId);
  if (existing !== undefined) {
    const { runId } = existing;
    if (conflictPolicy === useExisting) return ok(service.StartWorkflowExecutionResponse.encode({ runId }).finish());
    const taken = { startRequestId: existing.requestId, runId };
    const { WorkflowExecutionAlreadyStartedFailure: failure } = api.errordetails.v1;
    return failed(6, 'WorkflowExecutionAlreadyStartedFailure', failure.encode(taken).finish());
  }
  const bytes = Buffer.from(freshStart);
  bytes.write((runs += 1).toString(16).padStart(12, '0'), runIdAt + 24, 'latin1');
  if (young.size >= keptStarts) [old, young] = [young, new Map<string, Start>()];
  young.set(workflowId, { requestId, request, runId: bytes.toString('latin1', runIdAt, runIdAt + 36) });
  return { bytes };
}

/** The three fields that decide about a start; the others are skipped unread. */
function startFieldsOf(request: Buffer): { workflowId: string; requestId: string; conflictPolicy: number } {
  let at = 0;
  const varint = (): number => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = request[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const fields = { workflowId: '', requestId: '', conflictPolicy: 0 };
  while (at < request.length) {
    const tag = varint();
    const value = varint();
    if ((tag & 7) === 0) {
      if (tag >> 3 === 22) fields.conflictPolicy = value;
      continue;
    }
    if (tag >> 3 === 2) fields.workflowId = request.toString('utf8', at, at + value);
    if (tag >> 3 === 10) fields.requestId = request.toString('utf8', at, at + value);
    at += value;
  }
  return fields;
}

const startTime = proto.google.protobuf.Timestamp.fromObject({ seconds: 1_700_000_000 });

function describe(request: Buffer): Answer {
  const { execution } = service.DescribeWorkflowExecutionRequest.decode(request);
  const workflowId = execution?.workflowId ?? '';
  const known = young.get(workflowId) ?? old.get(workflowId);
  if (known === undefined) return failed(5, 'NotFoundFailure', Buffer.alloc(0));
  const { memo, searchAttributes, workflowType, taskQueue } = service.StartWorkflowExecutionRequest.decode(
    known.request,
  );
  const workflowExecutionInfo = {
    execution: { workflowId, runId: known.runId },
    firstRunId: known.runId,
    type: workflowType ?? null,
    taskQueue: taskQueue?.name ?? '',
    status: 1,
    startTime,
    memo: memo ?? null,
    searchAttributes: searchAttributes ?? null,
  };
  return ok(service.DescribeWorkflowExecutionResponse.encode({ workflowExecutionInfo }).finish());
}

function answerOf(method: string, request: Buffer): Answer {
  if (method === 'StartWorkflowExecution') return start(request);
  if (method === 'DescribeWorkflowExecution') return describe(request);
  if (method !== 'ShutdownWorker') return encoded[method] ?? { code: 12 };
  // A worker waits for its polls before it ends.
  for (const poll of polls) reply(poll, nothing);
  return nothing;
}

const headersSent = { ':status': 200, 'content-type': 'application/grpc' };

function reply(stream: ServerHttp2Stream, answer: Answer): void {
  if (stream.destroyed || stream.headersSent) return;
  if ('code' in answer) {
    const details = answer.detail === undefined ? {} : { 'grpc-status-details-bin': answer.detail.toString('base64') };
    const head = { ...headersSent, 'grpc-status': String(answer.code), 'grpc-message': 'fake', ...details };
    stream.respond(head, { endStream: true });
    return;
  }
  stream.respond(headersSent, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(answer.bytes);
}

const frontend = createServer({ settings: { initialWindowSize: 1 << 20, maxConcurrentStreams: 10_000 } });
frontend.on('stream', (stream, headers) => {
  const path = headers[':path'] ?? '';
  const method = path.slice(path.lastIndexOf('/') + 1);
  counts.set(method, (counts.get(method) ?? 0) + 1);
  const chunks: Buffer[] = [];
  stream.on('error', () => undefined);
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('end', () => {
    if (method.startsWith('Poll')) {
      polls.add(stream);
      return void stream.on('close', () => polls.delete(stream));
    }
    const frame = Buffer.concat(chunks);
    const message = frame.subarray(5);
    reply(stream, answerOf(method, frame[0] === 1 ? gunzipSync(message) : message));
  });
});
frontend.on('session', (session) => {
  session.on('error', () => undefined);
  // Requests in flight share this window.
  session.setLocalWindowSize(constants.MAX_INITIAL_WINDOW_SIZE);
});

const admin = createHttpServer((request, response) => {
  const told = JSON.stringify(Object.fromEntries(counts));
  if (request.method === 'POST') {
    counts.clear();
    old = young = new Map<string, Start>();
  }
  response.end(told);
});

async function portOf(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

process.on('disconnect', () => process.exit());
const [port, adminPort] = [await portOf(frontend), await portOf(admin)];
const addresses = { address: `127.0.0.1:${port}`, adminUrl: `http://127.0.0.1:${adminPort}` };
process.send?.(addresses);
console.log(JSON.stringify(addresses));
