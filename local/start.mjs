import { prepare } from './prepare.mjs';

/** `npm start`: what is missing is installed first, then the program itself runs in this very process. */
try {
  await prepare();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const { register } = await import('tsx/esm/api');
register();
await import('./start.ts');
