import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../src/worker/free-port.ts';

/**
 * What happens to connections, those that stand and those to come.
 * - `refuse`: nobody listens; connections that stood are reset.
 * - `reset`: connections are accepted and reset at once, as those that stood.
 * - `black-hole`: connections are accepted, and nothing passes in either direction. What was sent arrives after the
 *   fault, as it does when packets are lost for a while.
 * - `hold-answers`: the server gets everything and nobody hears of it. Answers arrive after the fault.
 * - `delayMs`: an answer comes so many milliseconds later than it would, half of them lost on the way there.
 */
export type Fault = 'refuse' | 'reset' | 'black-hole' | 'hold-answers' | { readonly delayMs: number };

export type TcpProxy = Awaited<ReturnType<typeof startTcpProxy>>;

/** A TCP proxy on a free port of 127.0.0.1 before a server on another, healthy until it is given a fault. */
export async function startTcpProxy(serverPort: number) {
  let fault: Fault | undefined;
  let links = new Set<Link>();
  const lost = new Set<Link>();
  const port = await freePort();
  let listener: Server | undefined = await listen();

  async function listen(): Promise<Server> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, accept);
    for (;;) {
      try {
        server.listen(port, '127.0.0.1');
        await once(server, 'listening');
        return server;
      } catch (error) {
        // The port is ours but for the moment in which nobody listens on it: another test may try it then.
        if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
        await sleep(20);
      }
    }
  }

  function accept(client: Socket): void {
    client.on('error', () => undefined);
    if (fault === 'reset') {
      client.resetAndDestroy();
      return;
    }
    const link: Link = createLink(client, serverPort, () => (lost.has(link) ? 'black-hole' : fault));
    links.add(link);
    link.onClose(() => {
      links.delete(link);
      lost.delete(link);
    });
  }

  const cut = (): void => {
    for (const link of links) link.cut();
  };

  async function become(next: Fault | undefined): Promise<void> {
    fault = next;
    if (next === 'refuse') {
      const closing = listener;
      listener = undefined;
      if (closing !== undefined) {
        const closed = once(closing, 'close');
        closing.close();
        cut();
        await closed;
      }
      return;
    }
    if (next === 'reset') cut();
    listener ??= await listen();
    for (const link of links) link.flush();
  }

  return {
    port,
    address: `127.0.0.1:${port}`,
    /** Resolves when the fault is in force, in place of the one before. */
    inject: (next: Fault): Promise<void> => become(next),
    /** What was held arrives; connections can be made again. */
    heal: (): Promise<void> => become(undefined),
    /** Resets the connections that stand, whatever the fault, and loses what was held for them. */
    cut,
    /**
     * The server is rid of the connections that stand and those who have them never hear of it, as if its machine had
     * been replaced. Later ones work.
     */
    forget(): void {
      for (const link of links) {
        lost.add(link);
        link.leaveServer();
      }
    },
    /** How many connections stand. */
    get connections(): number {
      return links.size;
    },
    async close(): Promise<void> {
      fault = 'refuse';
      cut();
      links = new Set();
      if (listener === undefined) return;
      const closed = once(listener, 'close');
      listener.close();
      await closed;
    },
  };
}

interface Link {
  /** Passes on what waits and need not any more. */
  flush(): void;
  cut(): void;
  leaveServer(): void;
  onClose(listener: () => void): void;
}

function createLink(client: Socket, serverPort: number, faultOf: () => Fault | undefined): Link {
  const server = connect({ port: serverPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  server.on('error', () => undefined);
  const delayMs = () => {
    const fault = faultOf();
    return typeof fault === 'object' ? fault.delayMs / 2 : 0;
  };
  const isSwallowing = () => faultOf() === 'black-hole';
  const directions = [
    createPipe({ from: client, to: server, delayMs, isHeld: isSwallowing }),
    createPipe({ from: server, to: client, delayMs, isHeld: () => isSwallowing() || faultOf() === 'hold-answers' }),
  ];
  return {
    flush: () => directions.forEach((direction) => direction.flush()),
    cut: () => {
      directions.forEach((direction) => direction.drop());
      client.resetAndDestroy();
      server.resetAndDestroy();
    },
    leaveServer: () => server.resetAndDestroy(),
    onClose: (listener) => {
      let open = 2;
      for (const socket of [client, server]) {
        socket.once('close', () => {
          open -= 1;
          if (open === 0) listener();
        });
      }
    },
  };
}

/** One direction of a link: chunks leave in the order they came, each when its delay is over and nothing holds it. */
function createPipe(options: { from: Socket; to: Socket; delayMs: () => number; isHeld: () => boolean }) {
  const { from, to, delayMs, isHeld } = options;
  /** `undefined` stands for the end of the stream. */
  const waiting: { chunk: Buffer | undefined; dueAt: number }[] = [];
  let timer: NodeJS.Timeout | undefined;

  function push(chunk: Buffer | undefined): void {
    waiting.push({ chunk, dueAt: performance.now() + delayMs() });
    flush();
  }

  function flush(): void {
    clearTimeout(timer);
    for (let [next] = waiting; next !== undefined && !isHeld(); [next] = waiting) {
      // With the fault its delay is over, for what is under way as well.
      const waitMs = delayMs() === 0 ? 0 : next.dueAt - performance.now();
      if (waitMs > 0) {
        timer = setTimeout(flush, waitMs);
        return;
      }
      waiting.shift();
      if (next.chunk === undefined) to.end();
      else if (!to.destroyed) to.write(next.chunk);
    }
  }

  from.on('data', push);
  from.once('end', () => push(undefined));
  // A reset comes without an end.
  from.once('close', (hadError) => {
    if (hadError) push(undefined);
  });

  return {
    flush,
    drop(): void {
      clearTimeout(timer);
      waiting.length = 0;
    },
  };
}
