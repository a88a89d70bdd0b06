import { totalmem } from 'node:os';
import underPressure from '@fastify/under-pressure';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from '../problems.ts';
import { routeOf } from './request-facts.ts';

/** Above these, requests are shed; 0 for no limit. */
export interface Pressure {
  readonly maxEventLoopDelayMs: number;
  /** A share between 0 and 1. */
  readonly maxEventLoopUtilization: number;
  /** 0: 80 % of what the container may use, if it is limited. */
  readonly maxRssBytes: number;
}

/**
 * The guard that throws `overloaded` while the process is under pressure. Reads and lists are refused first: a caller
 * loses little. Starts and actions are refused only where going on would take the whole process down.
 */
export async function shedUnderPressure(
  app: FastifyInstance,
  pressure: Pressure,
): Promise<(request: FastifyRequest) => void> {
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
    // The plugin measures, in a hook of its own that lets everything pass. The guard refuses, at its place in the list.
    pressureHandler: () => undefined,
  });
  return (request) => {
    if (!app.isUnderPressure()) return;
    const { cost, takesItems = false } = routeOf(request).config;
    const isDear = cost === 'start' || cost === 'action';
    const usage = app.memoryUsage();
    // Bodies of many items take memory, and may be sent again whole.
    const takesTooMuch = takesItems && limits.rssBytes > 0 && usage.rssBytes > limits.rssBytes;
    if (isDear && !takesTooMuch && !isFarBeyond(limits, usage)) return;
    // Jitter, so that those who were refused together do not come back together.
    throw new Problem('overloaded', { retryAfterMs: 1_000 + Math.round(Math.random() * 2_000) });
  };
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
