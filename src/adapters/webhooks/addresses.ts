import { BlockList, isIP } from 'node:net';

/** Blocks that are not public, with their prefix lengths: IANA's special-purpose registries, and what embeds IPv4. */
const notPublic = {
  ipv4: [
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
    ['192.0.0.0', 24],
    ['192.0.2.0', 24],
    ['192.88.99.0', 24],
    ['192.168.0.0', 16],
    ['198.18.0.0', 15],
    ['198.51.100.0', 24],
    ['203.0.113.0', 24],
    ['224.0.0.0', 4],
    ['240.0.0.0', 4],
  ],
  // IPv4 rules match `::ffff:` forms by themselves. A rule for ::ffff:0:0/96 would match every IPv4 address.
  ipv6: [
    ['::', 96],
    ['64:ff9b::', 96],
    ['64:ff9b:1::', 48],
    ['100::', 64],
    ['100:0:0:1::', 64],
    ['2001::', 23],
    ['2001:db8::', 32],
    ['2002::', 16],
    ['3fff::', 20],
    ['5f00::', 16],
    ['fc00::', 7],
    ['fe80::', 10],
    ['fec0::', 10],
    ['ff00::', 8],
  ],
} as const;

/** Whether webhooks may go to an address. */
export type AddressRule = (address: string) => boolean;

/** Public addresses, and those in `allowCidrs`: single ones or blocks. What is no address is never allowed. */
export function addressRuleOf(allowCidrs: readonly string[]): AddressRule {
  const blocked = new BlockList();
  for (const family of ['ipv4', 'ipv6'] as const) {
    for (const [network, prefix] of notPublic[family]) blocked.addSubnet(network, prefix, family);
  }
  const allowed = new BlockList();
  for (const block of allowCidrs) {
    const [network = '', prefix] = block.split('/');
    const family = familyOf(network);
    if (prefix === undefined) allowed.addAddress(network, family);
    else allowed.addSubnet(network, Number(prefix), family);
  }
  return (address) =>
    isIP(address) !== 0 &&
    // A zone names an interface of this machine.
    !address.includes('%') &&
    (allowed.check(address, familyOf(address)) || !blocked.check(address, familyOf(address)));
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4');
