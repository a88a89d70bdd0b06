import { totalmem } from 'node:os';
import underPressure from '@fastify/under-pressure';
import type { FastifyInstance } from 'fastify';
import { Problem } from '../problems.ts';

/** Above these, requests are shed; 0 for no limit. */
export interface Pressure {
  readonly maxEventLoopDelayMs: number;
  /** A share between 0 and 1. */
  readonly maxEventLoopUtilization: number;
  /** 0: 80 % of what the container may use, if it is limited. */
  readonly maxRssBytes: number;
}

/**
 * Answers `overloaded` while the process is under pressure, before any work is done. Reads and lists go first: a caller
 * loses little. Starts and actions are refused only where going on would take the whole process down.
 */
export async function shedUnderPressure(app: FastifyInstance, pressure: Pressure): Promise<void> {
  const limits = {
    eventLoopDelay: pressure.maxEventLoopDelayMs,
    eventLoopUtilized: pressure.maxEventLoopUtilization,
    rssBytes: pressure.maxRssBytes === 0 ? 0.8 * containerMemory() : pressure.maxRssBytes,
  };
  await app.register(underPressure, {
    maxEventLoopDelay: limits.eventLoopDelay,
    maxEventLoopUtilization: limits.eventLoopUtilized,
    maxRssBytes: limits.rssBytes,
    eventLoopUtilizationMode: 'interval',
    pressureHandler: (request) => {
      const { cost } = request.routeOptions.config;
      const isDear = cost === 'start' || cost === 'action';
      if (isDear && !isFarBeyond(limits, app.memoryUsage())) return undefined;
      // Jitter, so that those who were refused together do not come back together.
      return Promise.reject(new Problem('overloaded', { retryAfterMs: 1_000 + Math.round(Math.random() * 2_000) }));
    },
  });
}

/** Memory that a control group leaves to this process, in bytes; 0 if it is not limited. */
function containerMemory(): number {
  const bytes = process.constrainedMemory();
  return bytes > 0 && bytes < totalmem() ? bytes : 0;
}

interface Usage {
  readonly eventLoopDelay: number;
  readonly rssBytes: number;
}

/** A busy loop alone is no reason here: it is what a burst of starts looks like that are all being served. */
const isFarBeyond = (limits: Usage, usage: Usage): boolean =>
  (limits.eventLoopDelay > 0 && usage.eventLoopDelay > 5 * limits.eventLoopDelay) ||
  (limits.rssBytes > 0 && usage.rssBytes > 1.125 * limits.rssBytes);
