import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // What takes long and repeats other tests has a script of its own: `npm run test:long`.
    ...(process.env['PORTICO_TEST_LONG'] === '1'
      ? { include: ['test/long/*.test.ts'] }
      : { include: ['test/**/*.test.ts'], exclude: ['test/long/**'] }),
    // Generous: a slow machine is no failure, and what must happen is awaited for half as long.
    testTimeout: 360_000,
    hookTimeout: 360_000,
    expect: { poll: { timeout: 180_000 } },
    // On two cores: much of a test is waiting, and more workers would starve the servers that they wait for.
    maxWorkers: 3,
    globalSetup: ['test/global-setup.ts'],
  },
});
