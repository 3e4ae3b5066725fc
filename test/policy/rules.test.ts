/** Who may go where, by example; rules-property.test.ts compares the same with the rule, line by line. */
import assert from 'node:assert/strict';
import { parseIp } from '../../src/netfs/address.ts';
import { FsError } from '../../src/netfs/error.ts';
import { parseZone } from '../../src/policy/lines.ts';
import { Effort } from '../../src/policy/covering.ts';
import { Rules, type Question, type Verdict, type Zone } from '../../src/policy/rules.ts';
import { embedded, isSpecial } from '../../src/policy/special.ts';
import { lineOf, zoneOf } from './generated.ts';

/** Zones by name: `open` ones everybody passes, `shut` ones only others do, a `veto` nobody. */
function world(texts: Record<string, string[]>): { rules: Rules; passes: (zone: Zone) => boolean } {
  const rules = new Rules();
  for (const [name, lines] of Object.entries(texts)) {
    const zone = zoneOf(name, name.startsWith('veto') ? 0o644 : 0o750);
    rules.set(zone, parseZone(Buffer.from(lines.join('\n'))));
  }
  return { rules, passes: ({ name }) => name.startsWith('open') || name.startsWith('veto') };
}

/** `connect tcp 192.0.2.7 443`, and the names by which it was found. */
function asked(text: string, names: string[] = [], more: Partial<Question> = {}): Question {
  const [verb, protocol, address, port] = text.split(' ');
  const ip = parseIp(address!)!;
  const question = { verb: verb as Question['verb'], protocol: protocol!, names, ip, port: Number(port) };
  return { ...question, trusted: false, special: isSpecial(ip), ...more };
}

const show = ({ allowed, reason, zone, line }: Verdict): string =>
  [allowed ? 'yes' : 'no', reason, ...(zone && line ? [zone.name, line.number] : [])].join(' ');

function decided(texts: Record<string, string[]>, question: Question, as: string): void {
  const { rules, passes } = world(texts);
  assert.equal(show(rules.decide(question, passes)), as);
}

const WEB = asked('connect tcp 192.31.196.7 443', ['www.example.com']);

describe('the most specific line', () => {
  it('decides, and where there is none the answer is no', () => {
    decided({}, WEB, 'no none');
    decided({ open: ['connect udp!*!*', 'announce *!*!*', 'connect tcp!*!80'] }, WEB, 'no none');
    decided({ open: ['# web', 'connect tcp!*!443'] }, WEB, 'yes line open 2');
    decided({ shut: ['connect tcp!*!443'] }, WEB, 'no line shut 1');
  });

  it('is that of a name, then of the longest suffix, then of the longest network, then *', () => {
    const hosts = [
      '*',
      '0.0.0.0/0',
      '192.31.196.0/24',
      '192.31.196.7',
      '*.com',
      '*.example.com',
      'www.example.com',
    ];
    for (const [i, host] of hosts.entries()) {
      // Narrow ports and a protocol do not make up for a less specific host.
      const general = hosts.slice(0, i).map(each => `connect tcp!${each}!443`);
      decided({ shut: general, open: [`connect *!${host}!*`] }, WEB, 'yes line open 1');
      decided({ open: general, shut: [`connect *!${host}!*`] }, WEB, 'no line shut 1');
    }
  });

  it('is that with the narrower range, each of a list for itself, and then that with a protocol', () => {
    decided({ open: ['connect *!*!443'], shut: ['connect tcp!*!440-450'] }, WEB, 'yes line open 1');
    decided({ open: ['connect *!*!1-65535'], shut: ['connect tcp!*!*'] }, WEB, 'yes line open 1');
    decided({ shut: ['connect *!*!1-9999,443'], open: ['connect tcp!*!440-450'] }, WEB, 'no line shut 1');
    decided({ shut: ['connect *!*!1-9999,444'], open: ['connect tcp!*!440-450'] }, WEB, 'yes line open 1');
    decided({ open: ['connect tcp!*!443'], shut: ['connect *!*!443'] }, WEB, 'yes line open 1');
    decided({ open: ['connect *!*!443'], shut: ['connect tcp!*!443'] }, WEB, 'no line shut 1');
  });

  it('may be passed by one zone of equals', () => {
    const line = ['connect tcp!*!443'];
    decided({ shut: line, open: line, shut2: line }, WEB, 'yes line open 1');
    decided({ open: ['connect tcp!*!440-445'], shut: ['connect tcp!*!443-448'] }, WEB, 'yes line open 1');
  });

  it('does not match the suffix itself, nor a name that only ends like it', () => {
    for (const name of ['example.com', 'badexample.com', 'example.com.evil']) {
      decided({ open: ['connect tcp!*.example.com!443'] }, { ...WEB, names: [name] }, 'no none');
    }
    decided(
      { open: ['connect tcp!*.example.com!443'] },
      { ...WEB, names: ['a.b.example.com'] },
      'yes line open 1',
    );
  });

  it('is looked for by each name of a dial; dialled by number there is none', () => {
    const text = { open: ['connect tcp!www.example.com!443'] };
    decided(text, { ...WEB, names: ['www', 'www.example.com'] }, 'yes line open 1');
    decided(text, { ...WEB, names: [] }, 'no none');
  });

  it('of IPv6 is no line of IPv4', () => {
    decided({ open: ['connect tcp!::/0!*'] }, asked('connect tcp 8.8.8.8 53'), 'no none');
    decided({ open: ['connect tcp!0.0.0.0/0!*'] }, asked('connect tcp 2a00::1 53'), 'no none');
  });
});

describe('a zone without any x bit', () => {
  const metadata = asked('connect tcp 169.254.169.254 80');

  it('refuses what its lines match, whatever more specific line allows it and whoever passes it', () => {
    const open = ['connect tcp!169.254.169.254!80'];
    decided({ open, veto: ['connect *!169.254.0.0/16!*'] }, metadata, 'no veto veto 1');
    decided({ open, veto: ['connect *!*!*'] }, metadata, 'no veto veto 1');
    decided(
      { open, veto: ['connect udp!*!*', 'connect *!*!443', 'accept *!*!*'] },
      metadata,
      'yes line open 1',
    );
  });

  it('refuses any name of a dial, and its address', () => {
    const open = ['connect *!*!*'];
    decided({ open, veto: ['connect *!*.com!*'] }, WEB, 'no veto veto 1');
    decided(
      { open, veto: ['connect *!www!*'] },
      { ...WEB, names: ['www.example.com', 'www'] },
      'no veto veto 1',
    );
    decided({ open, veto: ['connect *!192.31.196.0/24!*'] }, WEB, 'no veto veto 1');
  });

  it('allows nothing itself, and is one from the moment of its chmod', () => {
    const rules = new Rules();
    const zone = zoneOf('z', 0o755);
    rules.set(zone, [lineOf('connect *!*!*')]);
    assert.equal(rules.decide(WEB, () => true).allowed, true);
    zone.permissions.mode = 0o644;
    assert.equal(rules.decide(WEB, () => true).reason, 'veto');
    zone.permissions.mode = 0o645;
    assert.equal(rules.decide(WEB, () => true).reason, 'line');
  });

  it('of one address refuses to announce every address, and of one port a port that the host picks', () => {
    const texts = { open: ['announce *!*!*'], veto: ['announce tcp!10.0.0.1!80'] };
    for (const address of ['::', '0.0.0.0']) {
      decided(texts, asked(`announce tcp ${address} 80`), 'no veto veto 1');
      decided(texts, asked(`announce tcp ${address} 0`), 'no veto veto 1');
      decided(texts, asked(`announce tcp ${address} 81`), 'yes line open 1');
      decided(texts, asked(`announce udp ${address} 80`), 'yes line open 1');
    }
    decided(texts, asked('announce tcp 10.0.0.1 0'), 'no veto veto 1');
    decided(texts, asked('announce tcp 10.0.0.2 0'), 'yes line open 1');
  });
});

describe('to announce', () => {
  it('every address of both families needs *, and those of IPv4 * or 0.0.0.0/0', () => {
    const both = asked('announce tcp :: 80');
    const v4 = asked('announce tcp 0.0.0.0 80');
    decided({ open: ['announce tcp!::/0!*', 'announce tcp!0.0.0.0/0!*'] }, both, 'no none');
    decided({ open: ['announce tcp!*!80'] }, both, 'yes line open 1');
    decided({ open: ['announce tcp!0.0.0.0/8!*', 'announce tcp!0.0.0.0/1!*'] }, v4, 'no none');
    decided({ open: ['announce tcp!0.0.0.0/0!*'] }, v4, 'yes line open 1');
  });

  it('a port that the host picks needs every port', () => {
    const any = asked('announce tcp 127.0.0.1 0');
    decided({ open: ['announce tcp!*!1-65535'] }, any, 'no none');
    decided({ open: ['announce tcp!127.0.0.1!*'] }, any, 'yes line open 1');
  });
});

describe('an address with an IPv4 address inside', () => {
  for (const address of ['64:ff9b::10.0.0.5', '2002:a00:5::1']) {
    const q = asked(`connect tcp ${address} 443`);

    it(`must be allowed as both: ${address}`, () => {
      decided({ open: ['connect *!::/0!*'] }, q, 'no none');
      decided({ open: ['connect *!10.0.0.0/8!*'] }, q, 'no none');
      decided({ open: ['connect *!10.0.0.0/8!*', 'connect *!::/0!*'] }, q, 'yes line open 2');
      decided({ open: ['connect *!*!*'], shut: ['connect *!10.0.0.5!*'] }, q, 'no line shut 1');
    });

    it(`is refused by a veto of either: ${address}`, () => {
      const open = ['connect *!*!*'];
      decided({ open, veto: ['connect *!10.0.0.0/8!*'] }, q, 'no veto veto 1');
      decided({ open, veto: [`connect *!${address}!*`] }, q, 'no veto veto 1');
    });

    it(`is told where it is what refused: ${address}`, () => {
      const { rules, passes } = world({ open: ['connect *!::/0!*'] });
      assert.deepEqual(rules.decide(q, passes).inside, embedded(q.ip));
      assert.equal(rules.decide(asked('connect tcp 2a00::1 443'), passes).inside, undefined);
    });
  }
});

describe('a name that resolves into special space', () => {
  const inner = asked('connect tcp 10.0.0.5 443', ['www.example.com']);
  const open = ['connect *!*!*', 'connect tcp!www.example.com!443'];

  it('needs a line with the address, too, and * is none', () => {
    decided({ open }, inner, 'no rebinding');
    decided({ open: [...open, 'connect *!10.0.0.0/8!443'] }, inner, 'yes line open 2');
    decided({ open, shut: ['connect *!10.0.0.0/8!443'] }, inner, 'no rebinding shut 1');
    decided(
      { open: [...open, 'connect *!10.0.0.0/8!*'], shut: ['connect *!10.0.0.5!443'] },
      inner,
      'no rebinding shut 1',
    );
  });

  it('is believed from files of the host, and by number it is none', () => {
    decided({ open }, { ...inner, trusted: true }, 'yes line open 2');
    decided({ open }, { ...inner, names: [] }, 'yes line open 1');
  });

  it('is also one where the address is inside another', () => {
    const q = asked('connect tcp 64:ff9b::10.0.0.5 443', ['www.example.com']);
    decided({ open }, q, 'no rebinding');
    decided({ open: [...open, 'connect *!64:ff9b::/96!*'] }, q, 'no rebinding');
    decided({ open: [...open, 'connect *!64:ff9b::/96!*', 'connect *!10.0.0.0/8!*'] }, q, 'yes line open 2');
  });
});

describe('to look a name up', () => {
  const looked = (texts: Record<string, string[]>, names: string[], as: string): void => {
    const { rules, passes } = world(texts);
    assert.equal(show(rules.resolves(names, passes)), as);
  };

  it('needs a resolve line, or a connect line with the name; * of connect is none', () => {
    looked({ open: ['connect *!*!*', 'connect *!0.0.0.0/0!*'] }, ['a.com'], 'no none');
    looked({ open: ['resolve *'] }, ['a.com'], 'yes line open 1');
    looked({ open: ['connect udp!a.com!53'] }, ['a.com'], 'yes line open 1');
    looked({ open: ['connect udp!*.com!53'] }, ['a.com'], 'yes line open 1');
    looked({ open: ['resolve *'], shut: ['connect tcp!*.com!1'] }, ['a.com'], 'no line shut 1');
    looked(
      { open: ['resolve a.com'], shut: ['resolve *.com', 'connect tcp!a.com!1'] },
      ['a.com'],
      'yes line open 1',
    );
  });

  it('is allowed where one of the names is, and none is vetoed', () => {
    looked({ open: ['resolve a.com'] }, ['a', 'a.com'], 'yes line open 1');
    looked({ open: ['resolve *'], veto: ['resolve *.com'] }, ['a', 'a.com'], 'no veto veto 1');
    looked({ open: ['resolve *'], veto: ['connect tcp!a.com!80'] }, ['a.com'], 'no veto veto 1');
    looked({ open: ['resolve *'], veto: ['connect tcp!*!*'] }, ['a.com'], 'yes line open 1');
  });

  it('is always allowed for localhost but for a veto', () => {
    for (const name of ['localhost', 'a.localhost']) {
      looked({ shut: ['resolve *'] }, [name], 'yes none');
      looked({ veto: ['resolve *'] }, [name], 'no veto veto 1');
    }
    looked({}, ['notlocalhost'], 'no none');
  });
});

describe('a zone', () => {
  it('has its new lines at the next decision, all of them or none', () => {
    const rules = new Rules();
    const zone = zoneOf('z', 0o755);
    for (const text of ['connect tcp!*!443', 'connect tcp!*!80', 'connect tcp!*!80\nconnect tcp!*!443', '']) {
      const lines = parseZone(Buffer.from(text));
      rules.set(zone, lines);
      assert.equal(rules.linesOf(zone), lines);
      assert.equal(rules.decide(WEB, () => true).allowed, text.includes('443'));
      assert.deepEqual(rules.linesOf(zone), lines);
    }
    rules.set(zone, parseZone(Buffer.from('connect tcp!*!443')));
    rules.delete(zone);
    assert.equal(rules.decide(WEB, () => true).reason, 'none');
    assert.deepEqual(rules.linesOf(zone), []);
  });

  it('is told from another of its name', () => {
    const rules = new Rules();
    const [a, b] = [zoneOf('z', 0o755), zoneOf('z', 0o755)];
    rules.set(a, [lineOf('connect tcp!*!443')]);
    rules.set(b, [lineOf('connect tcp!*!80')]);
    assert.equal(rules.decide(WEB, zone => zone === b).allowed, false);
    assert.equal(rules.decide(WEB, zone => zone === a).allowed, true);
  });
});

describe('covers', () => {
  const covers = (texts: Record<string, string[]>, line: string, domains?: string[]): boolean => {
    const { rules, passes } = world(texts);
    return rules.covers(lineOf(line), passes, domains);
  };

  it('is what a line that he passes has as a whole', () => {
    const open = ['connect tcp!10.0.0.0/8!22,80-90', 'connect udp!*!*', 'accept *!*!*'];
    assert(covers({ open }, 'connect tcp!10.0.0.0/8!22'));
    assert(covers({ open }, 'connect tcp!10.1.0.0/16!22,81-82'));
    assert(covers({ open }, 'connect udp!*!53'));
    assert(covers({ open }, 'accept tcp!10.0.0.0/8!80'));
    for (const line of [
      'connect tcp!10.0.0.0/7!22',
      'connect tcp!10.0.0.0/8!22,91',
      'connect tcp!10.0.0.0/8!21-22',
    ]) {
      assert(!covers({ open }, line), line);
    }
    for (const line of [
      'connect *!10.0.0.0/8!22',
      'announce tcp!10.0.0.0/8!22',
      'connect udp!x!53',
      'resolve x',
    ]) {
      assert(!covers({ open }, line), line);
    }
  });

  it('is nothing that only a veto has, or a zone that he does not pass', () => {
    assert(!covers({ veto: ['connect *!*!*'], shut: ['connect *!*!*'] }, 'connect *!*!*'));
  });

  it('is not what overrides a line that refuses', () => {
    const open = ['connect *!0.0.0.0/0!*'];
    const shut = ['connect tcp!10.0.0.0/8!22'];
    assert(!covers({ open, shut }, 'connect tcp!10.0.0.5!22'));
    assert(!covers({ open, shut }, 'connect tcp!10.0.0.5!1-100'));
    assert(covers({ open, shut }, 'connect tcp!10.0.0.5!80'));
    assert(covers({ open, shut }, 'connect tcp!11.0.0.5!22'));
    // It overrides nothing: what refuses is more specific than it.
    assert(covers({ open, shut }, 'connect tcp!0.0.0.0/1!22'));
    assert(!covers({ open, veto: shut }, 'connect tcp!10.0.0.5!22'));
    assert(covers({ open: ['connect tcp!10.0.0.0/8!22', ...open], shut }, 'connect tcp!10.0.0.5!22'));
  });

  it('is no network where all that he has is *, for names resolve into networks', () => {
    assert(!covers({ open: ['connect *!*!*'] }, 'connect tcp!10.0.0.0/8!80'));
    assert(covers({ open: ['announce *!*!*'] }, 'announce tcp!10.0.0.0/8!80'));
  });

  it('is no name that he may not look up', () => {
    assert(!covers({ open: ['connect *!*!*'] }, 'connect tcp!a.com!80'));
    assert(covers({ open: ['connect *!*!*', 'resolve *'] }, 'connect tcp!a.com!80'));
    assert(covers({ open: ['connect *!*!*', 'resolve *.com'] }, 'connect tcp!*.a.com!80'));
    assert(covers({}, 'resolve a.localhost'));
  });

  it('is no name that may be found in a domain that he is refused', () => {
    const texts = { open: ['connect *!*!*', 'resolve *'], shut: ['connect tcp!*.corp.example!443'] };
    assert(!covers(texts, 'connect tcp!git!443'));
    assert(!covers(texts, 'connect tcp!git!443', ['corp.example']));
    assert(covers(texts, 'connect tcp!git!443', ['home.example']));
    assert(covers(texts, 'connect tcp!git!443', []));
    assert(!covers(texts, 'connect tcp!git.corp.example!443', []));
    const found = { open: texts.open.concat('connect *!*.example!*'), shut: ['connect tcp!git!443'] };
    assert(!covers(found, 'connect tcp!git.corp.example!443', ['corp.example']));
    assert(covers(found, 'connect tcp!git.corp.example!443', []));
  });

  it('fails rather than take too long', () => {
    const { rules, passes } = world({
      open: ['connect *!0.0.0.0/0!*'],
      shut: Array.from({ length: 20_000 }, (_, i) => `connect tcp!10.${i >> 8}.${i & 255}.1!${1 + i}`),
    });
    const ports = Array.from({ length: 201 }, (_, i) => 100 + i);
    const long = lineOf(`connect tcp!10.0.0.0/8!${ports.join()}`);
    // A line after the other is as much as all at once.
    const effort = new Effort();
    for (let i = 0; i < 3; i++) rules.covers(long, passes, undefined, effort);
    assert.throws(
      () => rules.covers(long, passes, undefined, effort),
      (error: unknown) => error instanceof FsError && error.name === 'Eio',
    );
    assert(rules.covers(lineOf('connect tcp!10.0.0.0/8!40000'), passes));
  });
});
