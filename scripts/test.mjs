import { prepare } from '../local/prepare.mjs';

/** `npm test`: what is missing is installed first; arguments are vitest's. */
try {
  await prepare();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const { register } = await import('tsx/esm/api');
register();
await import('./run-tests.ts');
