import { expect, it } from 'vitest';
import { createReadiness } from '../../src/http/readiness.ts';

it('a report with a failure is soon made again, one without is used for its time', async () => {
  let asked = 0;
  let isBroken = true;
  const check = () => {
    asked += 1;
    if (isBroken) throw new Error('broken');
  };
  const report = createReadiness(() => [{ name: 'database', check }], { maxAgeMs: 3_600_000 });
  const statusNow = async () => (await report())[0]?.status;
  expect(await statusNow()).toBe('failed');
  isBroken = false;
  await expect.poll(statusNow).toBe('ok');
  const askedUntilThen = asked;
  await expect.poll(statusNow, { interval: 60 }).toBe('ok');
  expect(asked).toBe(askedUntilThen);
});
