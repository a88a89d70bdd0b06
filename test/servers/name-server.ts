import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** A record of an answer. `name` is that of the question unless told otherwise. */
export interface DnsRecord {
  readonly name?: string;
  readonly type: 'A' | 'AAAA' | 'CNAME';
  /** An address, or the name that a CNAME leads to. */
  readonly value: string;
  /** Seconds. */
  readonly ttl?: number;
}

export interface DnsQuestion {
  readonly name: string;
  readonly type: string;
}

/** What a question is answered with: records, the code of a failure, or nothing at all. */
export type DnsAnswer = readonly DnsRecord[] | 'SERVFAIL' | 'NXDOMAIN' | 'REFUSED' | 'silence';

const types = { A: 1, CNAME: 5, AAAA: 28 } as const;
const codes = { SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
const headerBytes = 12;

/** A name server on 127.0.0.1 that answers over UDP what a test says (RFC 1035). */
export async function startNameServer(answer: (question: DnsQuestion) => DnsAnswer) {
  const questions: DnsQuestion[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const { question, end } = questionOf(query);
    questions.push(question);
    const answered = answer(question);
    if (answered !== 'silence') socket.send(answerTo(query.subarray(0, end), answered), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    /** As a resolver takes it. */
    address: `127.0.0.1:${socket.address().port}`,
    /** Every question so far, also those that were repeated. */
    questions,
    async close(): Promise<void> {
      socket.close();
      await once(socket, 'close');
    },
  };
}

function questionOf(query: Buffer): { question: DnsQuestion; end: number } {
  const labels: string[] = [];
  let at = headerBytes;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const code = query.readUInt16BE(at + 1);
  const [type = String(code)] = Object.entries(types).find(([, known]) => known === code) ?? [];
  return { question: { name: labels.join('.').toLowerCase(), type }, end: at + 5 };
}

/** `asked`: the header and the question, without what may follow them. */
function answerTo(asked: Buffer, answered: Exclude<DnsAnswer, 'silence'>): Buffer {
  const header = Buffer.from(asked.subarray(0, headerBytes));
  const [records, code] = typeof answered === 'string' ? [[], codes[answered]] : [answered, 0];
  // A response, with recursion as it was desired and available.
  header.writeUInt16BE(0x8180 | code, 2);
  [1, records.length, 0, 0].forEach((count, index) => header.writeUInt16BE(count, 4 + 2 * index));
  return Buffer.concat([header, asked.subarray(headerBytes), ...records.map(bytesOfRecord)]);
}

function bytesOfRecord({ name, type, value, ttl = 0 }: DnsRecord): Buffer {
  // A pointer to the name of the question.
  const owner = name === undefined ? Buffer.from([0xc0, headerBytes]) : bytesOfName(name);
  const data = { A: bytesOfV4, AAAA: bytesOfV6, CNAME: bytesOfName }[type](value);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(types[type], 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, fixed, data]);
}

const bytesOfName = (name: string): Buffer =>
  Buffer.concat([
    ...name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])),
    Buffer.from([0]),
  ]);

const bytesOfV4 = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

/** Of an address in hexadecimal groups alone. */
function bytesOfV6(address: string): Buffer {
  const [before = '', after = ''] = address.split('::');
  const groupsOf = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const [first, last] = [groupsOf(before), groupsOf(after)];
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => 0);
  return Buffer.from([...first, ...zeros, ...last].flatMap((group) => [group >> 8, group & 0xff]));
}
