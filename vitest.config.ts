import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // On two cores: much of a test is waiting, and more workers would starve the servers that they wait for.
    maxWorkers: 3,
    // CI's machines are noisy neighbours to themselves: what fails twice in a row is a failure.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    globalSetup: ['test/global-setup.ts'],
  },
});
