// What the worker of a test runs: everything Portico has, and the process for tests.
export * from '../../workflows/index.ts';
export { probes, probesAnew } from './probe-workflows.ts';
