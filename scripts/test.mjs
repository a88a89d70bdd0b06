import { prepare } from '../local/prepare.mjs';

/** `npm test`: installs what is missing, then runs the tests. Arguments are passed to vitest. */
try {
  await prepare();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const { register } = await import('tsx/esm/api');
register();
await import('./run-tests.ts');
