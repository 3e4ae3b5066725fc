// A plain scan: every line is looked at, and the best that matches is kept.

const isVeto = zone => (zone.permissions.mode & 0o111) === 0;

function rank(host, names, ip) {
  if (host.kind === 'any') return 0;
  if (host.kind === 'network') return isIn(ip, host) ? 1 + host.prefix : -1;
  if (host.kind === 'name') return names.includes(host.name) ? 1000 : -1;
  return names.some(name => name.endsWith(`.${host.suffix}`)) ? 200 + host.suffix.length : -1;
}

function isIn({ family, bytes }, { ip, prefix }) {
  if (family !== ip.family) return false;
  for (let i = 0; 8 * i < prefix; i++) {
    const behind = Math.max(8 * (i + 1) - prefix, 0);
    if ((bytes[i] ^ ip.bytes[i]) >> behind !== 0) return false;
  }
  return true;
}

export class LinearScan {
  constructor(zones) {
    this.rules = zones.flatMap(([zone, lines]) =>
      lines.flatMap(line => line.ports.map(range => ({ zone, line, ...range }))),
    );
  }

  decide({ verb, protocol, names, ip, port }, passes) {
    let best;
    let most = -1;
    for (const rule of this.rules) {
      const { line } = rule;
      if (line.verb !== verb || port < rule.low || port > rule.high) continue;
      if (line.protocol !== '*' && line.protocol !== protocol) continue;
      const host = rank(line.host, names, ip);
      if (host < 0) continue;
      if (isVeto(rule.zone)) return false;
      const key = host * 131072 + (65535 - rule.high + rule.low) * 2 + (line.protocol === '*' ? 0 : 1);
      if (key < most) continue;
      best = key === most ? best || passes(rule.zone) : passes(rule.zone);
      most = key;
    }
    return best === true;
  }
}
