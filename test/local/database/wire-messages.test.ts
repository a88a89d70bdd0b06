import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readMessages } from '../../../local/database/wire-messages.ts';

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const message = (type: string, body: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from(type), int32(4 + Buffer.from(body).length), Buffer.from(body)]);
const untyped = (code: number, body = ''): Buffer => message('', Buffer.concat([int32(code), Buffer.from(body)]));
const startup = untyped(196_608, 'user\0postgres\0\0');
const terminate = message('X', '');

/** What a client that sends these pieces and then goes is understood to have said. */
async function understood(...pieces: Buffer[]): Promise<{ said: Buffer; runs: number; answered: string }> {
  const answers: string[] = [];
  const runs: Uint8Array[] = [];
  const socket = Object.assign(Readable.from(pieces), { write: (text: string) => answers.push(text) });
  for await (const run of readMessages(socket)) runs.push(run);
  return { said: Buffer.concat(runs), runs: runs.length, answered: answers.join('') };
}

describe('messages of a PostgreSQL client', () => {
  const query = message('Q', 'select 1\0');
  const exchange = Buffer.concat([message('P', 'a'), message('B', 'bb'), message('S', '')]);

  it('come whole, the start alone and what follows in runs', async () => {
    const { said, runs } = await understood(startup, exchange, terminate);
    expect(said).toEqual(Buffer.concat([startup, exchange]));
    expect(runs).toBe(2);
  });

  it('come whole when they arrive byte by byte', async () => {
    const bytes = [...Buffer.concat([startup, exchange, query])].map((byte) => Buffer.from([byte]));
    const { said, runs } = await understood(...bytes);
    expect(said).toEqual(Buffer.concat([startup, exchange, query]));
    expect(runs).toBe(5);
  });

  it('leave out what was begun and never finished', async () => {
    const { said } = await understood(startup, query, query.subarray(0, 6));
    expect(said).toEqual(Buffer.concat([startup, query]));
  });

  it('end with the goodbye, which the engine never sees', async () => {
    const { said } = await understood(startup, Buffer.concat([query, terminate, query]));
    expect(said).toEqual(Buffer.concat([startup, query]));
  });

  it('go on in clear when encryption is asked for and declined', async () => {
    const { said, answered } = await understood(untyped(80_877_103), startup, query);
    expect(answered).toBe('N');
    expect(said).toEqual(Buffer.concat([startup, query]));
  });

  it('are none when the client came to cancel', async () => {
    const { said } = await understood(untyped(80_877_102, '12345678'), query);
    expect(said).toHaveLength(0);
  });
});
