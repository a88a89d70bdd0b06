import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores are shared with a real Temporal server and a database: more workers only make them starve.
    maxWorkers: 2,
    globalSetup: ['test/global-setup.ts'],
  },
});
