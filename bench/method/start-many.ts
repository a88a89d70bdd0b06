import type { Peer } from './bench.ts';

const together = 2_000;

/** Starts so many fresh instances. They stay open where no worker runs. */
export async function startMany(peer: Peer, count: number): Promise<void> {
  for (let left = count; left > 0;) {
    const loop = { callers: 16, rampMs: 0, windowMs: 60_000, maxRequests: Math.min(left, together) };
    const { requests } = await peer.load('start', loop);
    if (requests === 0) throw new Error('no start was accepted');
    left -= requests;
  }
}
