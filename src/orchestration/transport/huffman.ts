/**
 * RFC 7541, appendix B: how many bits the code of each octet has, as a digit of base 36. The code is canonical, so the
 * lengths give the codes.
 */
const lengths = [
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca',
  'd67777777777777777777777878djde6f56565666577666567655677777fbeds',
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn',
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq',
].join('');

const maxLength = 30;

const octets = Array.from(lengths, (digit, octet) => ({ octet, length: Number.parseInt(digit, 36) })).sort(
  (one, other) => one.length - other.length || one.octet - other.octet,
);

/** For each length: the first code of that length, and where its octets begin among all of them. */
const firstCodes = new Uint32Array(maxLength + 2);
const firstIndexes = new Uint16Array(maxLength + 2);
let nextCode = 0;
let nextIndex = 0;
for (let length = 1; length <= maxLength + 1; length += 1) {
  nextCode *= 2;
  firstCodes[length] = nextCode;
  firstIndexes[length] = nextIndex;
  const count = octets.filter((each) => each.length === length).length;
  nextCode += count;
  nextIndex += count;
}

/** The octets of a string that was shortened by HPACK's code, as latin1. Throws where they are not such a string. */
export function decodeHuffman(bytes: Uint8Array): string {
  const decoded: number[] = [];
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      code = code * 2 + ((byte >> bit) & 1);
      length += 1;
      const octet = octetOf(code, length);
      if (octet === undefined) continue;
      decoded.push(octet);
      code = 0;
      length = 0;
    }
  }
  // What is left is padding: up to seven bits, all of them ones.
  if (length > 7 || code !== 2 ** length - 1) throw new Error('a shortened string ends amid an octet');
  return Buffer.from(decoded).toString('latin1');
}

/** Undefined where the code goes on. No octet has the thirty ones of the end of a string. */
function octetOf(code: number, length: number): number | undefined {
  if (length > maxLength) throw new Error('a shortened string has a code that stands for nothing');
  const offset = code - (firstCodes[length] ?? 0);
  const index = (firstIndexes[length] ?? 0) + offset;
  return offset >= 0 && index < (firstIndexes[length + 1] ?? 0) ? octets[index]?.octet : undefined;
}
