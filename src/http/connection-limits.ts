import type { IncomingMessage, ServerResponse } from 'node:http';
import { BlockList, isIPv6, type Socket } from 'node:net';
import { normalizeIP } from '@fastify/rate-limit';
import type { FastifyInstance } from 'fastify';
import { factsOf } from './request-facts.ts';
import { forgiveRefusals, watchStranger } from './stranger-connections.ts';

export interface ConnectionLimits {
  /** Connections in all. */
  readonly max: number;
  /** Connections from one address, from one /64 of IPv6; 0 for no limit. */
  readonly maxPerAddress: number;
  /** Addresses and CIDR blocks of proxies, which bring the connections of many callers. */
  readonly proxies: readonly string[];
  /** Counts a connection that was closed unheard: past the limit of all, or of its address. */
  readonly countDropped: (limit: 'all' | 'address') => void;
}

/** How long a connection may be idle after an answer to nobody that is known; milliseconds. */
const strangerIdleMs = 5_000;

/** While more than this share of the connections is open, of all or of one address, strangers keep none of theirs. */
const strangersShare = 0.5;

/**
 * Closes connections past a limit, and soon those that are idle and belong to nobody who is known. A stranger's
 * connection survives a few refusals while there are enough.
 */
export function limitConnections({ server, log }: FastifyInstance, limits: ConnectionLimits): void {
  const { max, maxPerAddress, countDropped } = limits;
  const isProxy = matcherOf(limits.proxies);
  const open = new Map<string, number>();
  let openInAll = 0;
  let isTold = false;
  const isScarce = () => openInAll > strangersShare * max;
  server.maxConnections = max;
  server.on('drop', () => countDropped('all'));
  server.on('connection', (socket: Socket) => {
    openInAll += 1;
    socket.once('close', () => (openInAll -= 1));
    watchStranger(socket, isScarce);
    const { remoteAddress } = socket;
    if (maxPerAddress === 0 || remoteAddress === undefined || isProxy(remoteAddress)) return;
    const address = normalizeIP(remoteAddress);
    const count = (open.get(address) ?? 0) + 1;
    if (count > maxPerAddress) {
      countDropped('address');
      // Once: it may be a balancer that Portico was not told of.
      if (!isTold) log.warn('an address has reached the limit of connections: PORTICO_MAX_CONNECTIONS_PER_ADDRESS');
      isTold = true;
      socket.destroy();
      return;
    }
    open.set(address, count);
    watchStranger(socket, () => isScarce() || (open.get(address) ?? 0) > strangersShare * maxPerAddress);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
  });
  shortenIdleTime(server);
}

function shortenIdleTime(server: FastifyInstance['server']): void {
  const answering = new WeakMap<Socket, number>();
  const count = (socket: Socket, change: number): number => {
    const left = (answering.get(socket) ?? 0) + change;
    answering.set(socket, left);
    return left;
  };
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    count(socket, 1);
    // Node sets the usual idle time when the answer is written, before this.
    response.once('finish', () => {
      const isIdle = count(socket, -1) === 0;
      if (factsOf(request).principal !== undefined) forgiveRefusals(socket);
      else if (isIdle) socket.setTimeout(strangerIdleMs);
    });
  });
}

function matcherOf(blocks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const block of blocks) {
    const [address = '', bits] = block.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (address) => list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
