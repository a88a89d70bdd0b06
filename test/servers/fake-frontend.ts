import {
  ChannelCredentials,
  Client,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
  status as grpcStatus,
} from '@grpc/grpc-js';
import proto from '@temporalio/proto';

type Answer = Uint8Array | ServiceError;
/** Bytes of a response, or what the call fails with. */
export type Reply = Answer | Promise<Answer>;

const bytesOf = (buffer: Buffer): Buffer => buffer;
const unary = (path: string) => ({
  path,
  requestStream: false,
  responseStream: false,
  requestSerialize: bytesOf,
  requestDeserialize: bytesOf,
  responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
  responseDeserialize: bytesOf,
});

const capabilities = proto.temporal.api.workflowservice.v1.GetSystemInfoResponse.encode({}).finish();

/**
 * A Temporal frontend that answers what a test says, for failures that no real server gives for the asking. It calls
 * itself healthy unless told otherwise, and refuses methods that the test does not name as unimplemented. A method is one
 * of the workflow service, or a whole path.
 */
export async function startFakeFrontend(
  methods: Readonly<Record<string, (request: Buffer) => Reply>>,
  // HealthCheckResponse { status: SERVING }
  health: () => Reply = () => Buffer.from([8, 1]),
) {
  const server = new Server();
  const add = (path: string, answer: (request: Buffer) => Reply) =>
    server.addService(
      { call: unary(path) },
      {
        call: (call: { request: Buffer }, respond: (error: ServiceError | null, bytes?: Uint8Array) => void) =>
          void Promise.resolve(answer(call.request)).then((reply) =>
            reply instanceof Error ? respond(reply) : respond(null, reply),
          ),
      },
    );
  add('/grpc.health.v1.Health/Check', health);
  for (const [name, answer] of Object.entries({ GetSystemInfo: () => capabilities, ...methods })) {
    add(name.startsWith('/') ? name : `/temporal.api.workflowservice.v1.WorkflowService/${name}`, answer);
  }
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { address: `127.0.0.1:${port}`, stop: () => server.forceShutdown() };
}

/** Hands calls of one method on to a real frontend, and its answers back. */
export function forwardTo(address: string, method: string) {
  const client = new Client(address, ChannelCredentials.createInsecure());
  const path = `/temporal.api.workflowservice.v1.WorkflowService/${method}`;
  return {
    answer: (request: Buffer): Promise<Answer> =>
      new Promise((resolve) =>
        client.makeUnaryRequest(path, bytesOf, bytesOf, request, (error, bytes = Buffer.alloc(0)) =>
          resolve(error ?? bytes),
        ),
      ),
    close: (): void => client.close(),
  };
}

/** A failure as a frontend sends it; `detail` is the message type of its one error detail, `value` what that says. */
export function failure(
  code: keyof typeof grpcStatus,
  message = 'canary',
  detail?: string,
  value: Uint8Array = new Uint8Array(),
): ServiceError {
  const metadata = new Metadata();
  if (detail !== undefined) {
    const details = [{ type_url: `type.googleapis.com/${detail}`, value }];
    const status = proto.google.rpc.Status.encode({ code: grpcStatus[code], message, details }).finish();
    metadata.set('grpc-status-details-bin', Buffer.from(status));
  }
  return Object.assign(new Error(message), { code: grpcStatus[code], details: message, metadata });
}

/** Gives one reply after the other, and the last one for ever. */
export function inTurn(...replies: [Reply, ...Reply[]]): { next: () => Reply; count: () => number } {
  let count = 0;
  return {
    next: () => replies[Math.min(count++, replies.length - 1)] ?? replies[0],
    count: () => count,
  };
}
