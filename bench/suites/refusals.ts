import { createHmac } from 'node:crypto';
import type { RawRequest } from '../load/http-client.ts';
import { grantOf, post } from '../load/requests.ts';
import { tokenIssuedAt } from '../load/unknown-key.ts';
import { exactFigure, figureOf, ratioOf } from '../method/arithmetic.ts';
import type { Bench, Peer } from '../method/bench.ts';
import { cell, type SuiteResult } from '../method/report.ts';
import { type Contender, costs, foreignCell, inRounds, warmUp } from '../method/rounds.ts';

const callers = 8;
/** Those that a goal speaks of. */
const gated = ['401 a wrong signature', '400 a wrong field', '413 64 kB of "",'];

/** What refused requests cost beside an accepted start, and that they ask nothing of Temporal. */
export async function refusals(bench: Bench): Promise<SuiteResult> {
  const [api, limited] = [await bench.peer('api'), await bench.peer('limited')];
  const { token } = bench;
  const loop = { callers, rampMs: 50, windowMs: bench.isShort ? 500 : 1_000 };
  const requests = Object.entries(requestsWith(token)).filter(([name]) => !bench.isShort || gated.includes(name));
  const refused = requests.map(([name, kind]): Contender => ({
    name,
    peer: api,
    kind: { ...kind, ...mayBeShed },
    loop,
  }));
  const start: Contender = { name: 'start', peer: api, kind: 'start', loop };
  // Ten starts are let through in ten seconds, among thousands.
  const tooOften = { ...post({ token, status: 429, body: grantOf('limited') }), or: [202] };
  const refusedOften: Contender = { name: '429 too often', peer: limited, kind: tooOften, loop };
  const special = bench.isShort ? [] : await specialCases(bench, loop);
  const contenders = [start, ...refused, refusedOften, ...special];
  await warmUp(contenders, bench.isShort ? 500 : 1_000);
  const rpcsBefore = await api.countRpcs();
  await warmUp(refused, 100);
  const rpcs = (await api.countRpcs()) - rpcsBefore;
  const rounds = await inRounds(contenders, bench.rounds);
  const costOf = (name: string, peer: Peer) => costs(rounds.get(name) ?? [], peer.pid);
  const ratio = (name: string, peer: Peer = api) => ratioOf(costOf(name, peer), costOf('start', api));
  const rows = contenders.map(({ name, peer }) => [
    name === 'start' ? '202 an accepted start' : name,
    cell(figureOf(costOf(name, peer))),
    cell(ratio(name, peer), 2),
    foreignCell(rounds.get(name) ?? []),
  ]);
  return {
    tables: [
      {
        title: `Refused requests by ${callers} callers, role api, ${bench.temporal.name} server`,
        head: ['', 'CPU µs each', '÷ an accepted start', 'foreign CPU'],
        rows,
      },
    ],
    figures: {
      '10-401': ratio('401 a wrong signature'),
      '10-400': ratio('400 a wrong field'),
      '10-413': ratio('413 64 kB of "",'),
      '10-429': ratio('429 too often', limited),
      '10-rpc': exactFigure(rpcs),
    },
  };
}

/** What needs a service with other settings: keys that are fetched, and a process that takes long bodies. */
async function specialCases(bench: Bench, loop: Contender['loop']): Promise<Contender[]> {
  const [keySet, large] = [await bench.peer('key-set'), await bench.peer('large')];
  const { token } = bench;
  const old = tokenIssuedAt(Math.floor(Date.now() / 1_000) - 600);
  return [
    { name: '503 a young token of an unknown key', peer: keySet, kind: 'young', loop },
    {
      name: '401 an older token of an unknown key',
      ...{ peer: keySet, loop, kind: { ...post({ status: 401, body: grantOf('refused'), token: old }), ...mayBeShed } },
    },
    { name: '202 a start of 64 kB, where allowed', peer: large, kind: 'large', loop },
    {
      name: '400 64 kB of "",, where allowed',
      ...{ peer: large, loop, kind: { ...post({ status: 400, body: emptyTexts(21_840), token }), ...mayBeShed } },
    },
  ];
}

/** On a machine that others keep busy: that is none of the rate. */
const mayBeShed = { or: [503] };

/** A JSON text of many values in few bytes. */
const emptyTexts = (count: number): string => `[${'"",'.repeat(count)}""]`;

/** Each is as cheap for whoever sends it as its size allows. */
function requestsWith(token: string): Readonly<Record<string, RawRequest>> {
  const body = grantOf('refused');
  const [head = '', payload = ''] = token.split('.');
  const unsigned = `${head}.${payload}.${Buffer.alloc(256).toString('base64url')}`;
  // As long as what is read at most, and longer.
  const forged = (length: number) => {
    const claims = Buffer.from(`{"a":[${'"",'.repeat(length / 4)}""]}`).toString('base64url');
    const input = `${head}.${claims}`;
    return `${input}.${createHmac('sha256', Buffer.alloc(32)).update(input).digest('base64url')}`;
  };
  return {
    '401 no token': post({ status: 401, body }),
    '401 a wrong signature': post({ status: 401, body, token: unsigned }),
    '401 a forged token of 4 kB': post({ status: 401, body, token: forged(2_700) }),
    '401 a forged token of 8 kB': post({ status: 401, body, token: forged(5_600) }),
    '400 half a body': post({ status: 400, body: '{', token }),
    '400 a wrong field': post({ status: 400, body: { ...body, nickname: 'A' }, token }),
    '400 8 kB of "",': post({ status: 400, body: emptyTexts(2_700), token }),
    '413 64 kB of "",': post({ status: 413, body: emptyTexts(21_840), token }),
  };
}
