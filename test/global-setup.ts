import type { TestProject } from 'vitest/node';
import { findTemporalCli } from '../scripts/temporal-cli.ts';
import { startTemporalServer } from './support/temporal.ts';

/** One Temporal server in memory for the whole run. Tests of pure logic run without one as well. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (findTemporalCli({ environment: process.env, log: console.warn }) === undefined) {
    project.provide('temporalAddress', '');
    return () => Promise.resolve();
  }
  const server = await startTemporalServer();
  project.provide('temporalAddress', server.address);
  return server.stop;
}
