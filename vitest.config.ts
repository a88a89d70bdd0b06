import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores are shared with a real Temporal server and a database: more workers only make them starve.
    maxWorkers: 2,
    // CI's machines are noisy neighbours to themselves: what fails twice in a row is a failure.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    globalSetup: ['test/global-setup.ts'],
  },
});
