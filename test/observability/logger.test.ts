import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/observability/logger.ts';
import { Problem } from '../../src/problems.ts';

function recording({ isTTY = false } = {}) {
  const written: string[] = [];
  const logger = createLogger({ level: 'info', destination: { isTTY, write: (text: string) => written.push(text) } });
  return { logger, text: () => written.join(''), json: (): unknown => JSON.parse(written.at(-1) ?? '') };
}

describe('a JSON line', () => {
  it('has time, level as a word, the members and the message', () => {
    const { logger, json } = recording();
    logger.info({ requestId: 'r-1', status: 202 }, 'request');
    expect(json()).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown,
      level: 'info',
      requestId: 'r-1',
      status: 202,
      msg: 'request',
    });
  });

  it('stays one line whatever the values hold', () => {
    const { logger, text } = recording();
    logger.info({ subject: 'alice\r\n{"level":"fatal"}\u2028x' }, 'one\ntwo');
    expect(text().split('\n')).toHaveLength(2);
  });

  it.each([
    'authorization',
    'token',
    'secret',
    'password',
    'amount',
    'minor',
    'body',
    'input',
    'headers',
    'idempotencyKey',
  ])('never shows a member called %s, at the top or two levels down', (name) => {
    const { logger, text } = recording();
    logger.info({ [name]: 'canary', a: { [name]: 'canary', b: { [name]: 'canary' } } }, 'x');
    expect(text()).not.toContain('canary');
    expect(text().match(/\[redacted\]/g)).toHaveLength(3);
  });

  it('shows of an error its kind, message, code, stack and causes, and no other member', () => {
    const { logger, json, text } = recording();
    const row = Object.assign(new Error('duplicate key'), { code: '23505', detail: 'Key (tenant, id)=(canary, 1)' });
    logger.error({ err: new Problem('internal', { cause: row, headers: { x: 'canary' } }) }, 'failed');
    expect(json()).toMatchObject({
      err: { type: 'Problem', code: 'internal', cause: { type: 'Error', message: 'duplicate key', code: '23505' } },
    });
    expect(text()).not.toContain('canary');
  });

  it('survives errors that are no errors and causes in a circle', () => {
    const { logger, text } = recording();
    const circle = new Error('circle');
    circle.cause = circle;
    logger.error({ err: circle }, 'failed');
    logger.error({ err: 'canary' }, 'failed');
    expect(text()).not.toContain('canary');
  });
});

describe('on a terminal', () => {
  it('a line is readable', () => {
    const { logger, text } = recording({ isTTY: true });
    logger.info({ operation: 'getTransfer', status: 200, tenant: 'acme corp' }, 'request');
    expect(text()).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} INFO {2}request operation=getTransfer status=200 tenant="acme corp"\n$/,
    );
  });

  it('an error has its stack and causes below, indented', () => {
    const { logger, text } = recording({ isTTY: true });
    logger.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed');
    const [head, ...below] = text().trimEnd().split('\n');
    expect(head).toMatch(/ERROR failed$/);
    expect(below.every((line) => line.startsWith('    '))).toBe(true);
    expect(below.join('\n')).toMatch(/Error: outer[^]*Error: inner/);
  });

  it('no value begins a line or commands the terminal', () => {
    const { logger, text } = recording({ isTTY: true });
    logger.info(
      { subject: 'a\r\n12:00:00.000 INFO  forged', name: '\u001b[2J\u009b2J\u202e', 'k\ney': 1 },
      'm\u001b[0m',
    );
    logger.error({ err: new Error('x\n12:00:00.000 INFO  forged') }, 'failed');
    expect(text().replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(text()).not.toMatch(/^12:00:00/m);
    expect(
      text()
        .split('\n')
        .filter((line) => /^\d/.test(line)),
    ).toHaveLength(2);
  });
});
