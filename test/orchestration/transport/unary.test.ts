import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:http2';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { isRefusal, isWorthRetrying } from '../../../src/orchestration/failures.ts';
import { createChannel } from '../../../src/orchestration/transport/channel.ts';
import { dial } from '../../../src/orchestration/transport/dial.ts';
import { flag, frameOf, frameType, settingsFrame, uint32 } from '../../../src/orchestration/transport/frames.ts';
import { createUnaryCalls } from '../../../src/orchestration/transport/unary.ts';
import { freePort } from '../../../src/worker/free-port.ts';
import { goAwayFrame, startFrameServer } from '../../servers/frame-server.ts';
import { type ArrivedRequest, grpcMessage, respond, startHttp2Server } from '../../servers/http2-server.ts';

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

function callsTo(port: number) {
  const seen: number[] = [];
  const channel = createChannel(() => dial({ host: '127.0.0.1', port }));
  const calls = createUnaryCalls({
    channel,
    headers: [
      [':scheme', 'http'],
      [':authority', 'test'],
    ],
    isRetryable: isWorthRetrying,
    isRefusal,
    observe: (_path, code) => seen.push(code),
    errorOf: (_path, failure, isWithoutEffect) =>
      Object.assign(new Error(failure.details), { code: failure.code, metadata: failure.metadata, isWithoutEffect }),
  });
  releases.push(() => {
    calls.close();
    channel.close();
  });
  const ask = (message: Uint8Array = Buffer.from('hello'), deadlineMs = 5_000, signal?: AbortSignal) =>
    calls.call({ path: '/service/Method', message, deadlineMs, signal });
  const failed = (...asked: Parameters<typeof ask>) => ask(...asked).catch((error: unknown) => error);
  return { ask, failed, seen, channel, calls };
}

async function serve(answer: (request: ArrivedRequest, count: number) => void, options = {}) {
  let count = 0;
  const server = await startHttp2Server((request) => answer(request, (count += 1)), options);
  releases.push(server.stop);
  return { ...callsTo(server.port), server, arrived: () => count };
}

/** The same over frames that no well-behaved server says. */
async function serveFrames(...given: Parameters<typeof startFrameServer>) {
  const server = await startFrameServer(...given);
  releases.push(server.stop);
  return { ...callsTo(server.port), server };
}

const echo = ({ stream, body }: ArrivedRequest) => respond(stream, body.subarray(5));

describe('a call', () => {
  it('is what gRPC says, and gives the answer', async () => {
    const requests: ArrivedRequest[] = [];
    const { ask, seen } = await serve((request) => {
      requests.push(request);
      echo(request);
    });
    expect((await ask()).toString()).toBe('hello');
    expect(requests[0]?.body).toEqual(grpcMessage(Buffer.from('hello')));
    expect(requests[0]?.headers).toMatchObject({
      ':method': 'POST',
      ':path': '/service/Method',
      te: 'trailers',
      'content-type': 'application/grpc',
      'grpc-timeout': expect.stringMatching(/^(5000|49\d\d)m$/),
    });
    expect(seen).toEqual([0]);
  });

  it.each([0, 1, 16_379, 16_380, 65_530, 65_531, 1_000_000, 5_000_000])(
    'of %d bytes arrives whole, and so does its answer',
    async (size) => {
      const { ask } = await serve(echo, { paddingStrategy: constants.PADDING_STRATEGY_MAX });
      const message = randomBytes(size);
      const all = await Promise.all([ask(message), ask(Buffer.from('small')), ask(message)]);
      expect(all.map((each) => each.length)).toEqual([size, 5, size]);
      expect(all[0].equals(message) && all[2].equals(message)).toBe(true);
    },
  );

  it('is told the headers and trailers that another implementation writes, of any length', async () => {
    const value = fc.string({ unit: fc.integer({ min: 33, max: 126 }).map((code) => String.fromCharCode(code)) });
    const values = fc.array(fc.tuple(value, fc.integer({ min: 1, max: 300 })), { minLength: 1, maxLength: 6 });
    let trailers: Record<string, string> = {};
    const { failed } = await serve(({ stream }) => respond(stream, Buffer.alloc(0), trailers), {
      maxSendHeaderBlockLength: 200_000,
    });
    await fc.assert(
      fc.asyncProperty(values, async (drawn) => {
        const details = drawn.map(([unit, times]) => Buffer.from(unit.repeat(times)).toString('base64'));
        const others = Object.fromEntries(details.map((text, at) => [`other-${at}-bin`, text]));
        trailers = { 'grpc-status': '5', ...others, 'grpc-status-details-bin': details.at(-1) ?? '' };
        const { metadata } = (await failed()) as { metadata: { getMap(): Record<string, Buffer> } };
        const told = Object.entries(metadata.getMap()).map(([name, bytes]) => [name, bytes.toString('base64')]);
        expect(told).toEqual([['grpc-status-details-bin', details.at(-1)]]);
      }),
      { numRuns: 60 },
    );
  });

  it('is told why it failed, in words of any language', async () => {
    const { failed } = await serve(({ stream }) =>
      stream.respond(
        { ':status': 200, 'grpc-status': '5', 'grpc-message': encodeURIComponent('nicht gefunden: Zoë 100 %') },
        { endStream: true },
      ),
    );
    expect(await failed()).toMatchObject({ code: 5, message: 'nicht gefunden: Zoë 100 %', isWithoutEffect: true });
  });

  it.each([
    [403, 7],
    [404, 12],
    [503, 14],
    [500, 2],
  ])('that a proxy answers with %d fails with code %d', async (httpStatus, code) => {
    const { failed } = await serve(({ stream }) => stream.respond({ ':status': httpStatus }, { endStream: true }));
    expect(await failed()).toMatchObject({ code });
  });

  it.each([
    ['no message', Buffer.alloc(0)],
    ['half a message', grpcMessage(Buffer.from('hello')).subarray(0, 7)],
    ['a compressed message', Buffer.concat([Buffer.of(1), grpcMessage(Buffer.from('x')).subarray(1)])],
  ])('whose answer is %s fails', async (_name, body) => {
    const { failed } = await serve(({ stream }) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(body);
    });
    expect(await failed()).toMatchObject({ code: 13, isWithoutEffect: false });
  });

  it('finds room on further connections where the server bounds the requests of one', async () => {
    let most = 0;
    const held: ArrivedRequest[] = [];
    const { ask, server } = await serve(
      (request) => {
        held.push(request);
        most = Math.max(most, server.sessions.size);
        setTimeout(() => echo(request), 5);
      },
      { settings: { maxConcurrentStreams: 2 } },
    );
    const all = await Promise.all(Array.from({ length: 60 }, () => ask()));
    expect(all.map(String)).toEqual(Array(60).fill('hello'));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(8);
  });

  it('fails without effect where the server speaks something else', async () => {
    const port = await freePort();
    const server = createServer((socket) => {
      socket.on('error', () => undefined).write('HTTP/1.1 400 Bad Request\r\n\r\n'.padEnd(60_000, 'x'));
    });
    await once(server.listen(port, '127.0.0.1'), 'listening');
    releases.push(() => server.close());
    expect(await callsTo(port).failed()).toMatchObject({ code: 14, isWithoutEffect: true });
  });
});

describe('an attempt that the server leaves unread', () => {
  it('because it goes away goes to a new connection, and others end on the old one', async () => {
    const { ask, server } = await serveFrames(({ answer, goAway }, count) => {
      if (count === 1) setTimeout(() => answer(Buffer.from('first')), 200);
      // The second is above the last that the server is going to work on.
      if (count === 2) goAway(1);
      if (count > 2) answer(Buffer.from('second'));
    });
    const first = ask();
    await sleep(50);
    expect(String(await ask())).toBe('second');
    expect(server.sockets.size).toBe(2);
    expect(String(await first)).toBe('first');
    await expect.poll(() => server.sockets.size).toBe(1);
  });

  it('because it goes away, again and again, had no effect', async () => {
    const { failed, seen } = await serveFrames(({ goAway }) => goAway(0));
    expect(await failed()).toMatchObject({ code: 14, isWithoutEffect: true });
    expect(seen).toEqual([14, 14, 14]);
  });
});

describe('a server that leaves every connection at once', () => {
  it('is not called in a loop, and calls fail soon without effect', async () => {
    const { failed, server } = await serveFrames(() => undefined, [settingsFrame([[3, 0]]), goAwayFrame(0)]);
    const beganAtMs = performance.now();
    expect(await failed()).toMatchObject({ code: 14, isWithoutEffect: true });
    expect(performance.now() - beganAtMs).toBeLessThan(2_000);
    await sleep(500);
    expect(server.connections()).toBeLessThan(10);
  });
});

describe('a server that goes away in its own time', () => {
  it('is left without a failure, and what it works on is awaited', async () => {
    let isAway = false;
    const { ask, seen, server } = await serveFrames(({ answer, goAway, streamId }, count) => {
      if (count % 20 === 0) {
        isAway = true;
        goAway(2 ** 31 - 1);
        setTimeout(() => goAway(streamId), 10);
      }
      setTimeout(() => answer(Buffer.from('here')), 5);
    });
    for (let round = 0; round < 10; round += 1) {
      const all = await Promise.all(Array.from({ length: 10 }, () => ask()));
      expect(all.map(String)).toEqual(Array(10).fill('here'));
    }
    expect(isAway).toBe(true);
    expect(seen).toEqual(Array(100).fill(0));
    await expect.poll(() => server.sockets.size).toBe(1);
  });
});

describe('a server that breaks the rules', () => {
  const stray = frameOf(frameType.continuation, flag.endHeaders, 1, Buffer.alloc(0));
  const headers = frameOf(frameType.headers, 0, 1, Buffer.of(0x88));
  it.each([
    ['with headers that go on without a beginning', [stray]],
    ['with headers that another frame cuts', [headers, frameOf(frameType.ping, 0, 0, Buffer.alloc(8))]],
    ['with a push', [frameOf(frameType.pushPromise, 0, 1, Buffer.alloc(4))]],
    ['with more padding than bytes', [frameOf(frameType.data, flag.padded, 1, Buffer.of(9, 0))]],
    ['with a header of a table that nobody keeps', [frameOf(frameType.headers, flag.endHeaders, 1, Buffer.of(0xbe))]],
    ['with a frame that is too long', [frameOf(frameType.data, 0, 1, Buffer.alloc(16_385))]],
    ['with headers without end', Array.from({ length: 20 }, (_, at) => endless(at))],
    ['with half a number', [frameOf(frameType.rstStream, 0, 1, Buffer.of(0))]],
  ])('%s loses its connection, and the call may have had an effect', async (_name, frames) => {
    const { failed, server } = await serveFrames(({ send }) => send(...frames));
    expect(await failed()).toMatchObject({ code: 14, isWithoutEffect: false });
    await expect.poll(() => server.sockets.size).toBe(0);
  });

  it('is not believed in more than its own requests', async () => {
    const { ask } = await serveFrames(({ send, answer }) => {
      send(frameOf(99, 0, 0, Buffer.alloc(3)), frameOf(frameType.rstStream, 0, 77, uint32(8)));
      answer(Buffer.from('fine'));
    });
    expect(String(await ask())).toBe('fine');
  });
});

function endless(at: number): Buffer {
  const type = at === 0 ? frameType.headers : frameType.continuation;
  return frameOf(type, 0, 1, Buffer.alloc(16_384));
}

describe('an attempt of which nobody knows', () => {
  it.each(['NGHTTP2_CANCEL', 'NGHTTP2_INTERNAL_ERROR', 'NGHTTP2_NO_ERROR', 'NGHTTP2_REFUSED_STREAM'] as const)(
    'because its request was reset with %s makes the call one that may have had an effect',
    async (name) => {
      const { failed } = await serve(({ stream }) => stream.close(constants[name]));
      expect(await failed()).toMatchObject({ code: 14, isWithoutEffect: false });
    },
  );

  it('because the connection was cut makes the call one that may have had an effect', async () => {
    const { failed } = await serve(({ session }) => session.destroy());
    expect(await failed()).toMatchObject({ code: 14, isWithoutEffect: false });
  });

  it('because the server went away below its number makes the call one that may have had an effect', async () => {
    const { failed } = await serve(({ session }) => {
      session.goaway(constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1);
      setImmediate(() => session.destroy());
    });
    expect(await failed()).toMatchObject({ code: 14, isWithoutEffect: false });
  });

  it('and then was refused is still one that may have had an effect', async () => {
    const { failed } = await serve(({ stream }, count) => {
      stream.close(count === 1 ? constants.NGHTTP2_CANCEL : constants.NGHTTP2_REFUSED_STREAM);
    });
    expect(await failed()).toMatchObject({ isWithoutEffect: false });
  });

  it('because its time was over makes the call one that may have had an effect', async () => {
    const { failed, ask, server } = await serve((request, count) => {
      if (count > 1) echo(request);
    });
    expect(await failed(undefined, 100)).toMatchObject({ code: 4, isWithoutEffect: false });
    await ask();
    expect(server.sessions.size).toBe(1);
  });

  it('because its caller left makes the call one that may have had an effect', async () => {
    const caller = new AbortController();
    const { failed } = await serve(() => caller.abort());
    expect(await failed(undefined, 5_000, caller.signal)).toMatchObject({ code: 1, isWithoutEffect: false });
  });
});

describe('a call that is never sent had no effect', () => {
  it('because nobody listens, and fails soon', async () => {
    const { failed, seen } = callsTo(await freePort());
    const beganAtMs = performance.now();
    expect(await failed()).toMatchObject({ code: 14, isWithoutEffect: true });
    expect(performance.now() - beganAtMs).toBeLessThan(2_000);
    expect(seen).toEqual([14, 14, 14]);
  });

  it('because no connection comes up in time', async () => {
    const server = createServer((socket) => void socket.on('error', () => undefined));
    const port = await freePort();
    await once(server.listen(port, '127.0.0.1'), 'listening');
    releases.push(() => server.close());
    const { failed, channel } = callsTo(port);
    expect(await failed(undefined, 200)).toMatchObject({ code: 4, isWithoutEffect: true });
    channel.close();
  });

  it('because its caller had left before', async () => {
    const { failed, arrived } = await serve(echo);
    expect(await failed(undefined, 5_000, AbortSignal.abort())).toMatchObject({ code: 1, isWithoutEffect: true });
    expect(arrived()).toBe(0);
  });
});
