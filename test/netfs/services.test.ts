/** Ports by name: services(5). */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseServices, servicePort } from '../../src/netfs/services.ts';

describe('parseServices', () => {
  it('reads names and aliases for each protocol, in any case', () => {
    const ports = parseServices('http 80/tcp www WWW-http # the web\nhttp\t8080/udp\n');
    assert.deepEqual(Object.fromEntries(ports), {
      'http/tcp': 80,
      'www/tcp': 80,
      'www-http/tcp': 80,
      'http/udp': 8080,
    });
  });

  it('lets the first of several lines count', () => {
    assert.equal(parseServices('a 1/tcp\na 2/tcp\nb 3/tcp a').get('a/tcp'), 1);
  });

  it('passes over what is no service', () => {
    const lines = [
      '',
      '# x 1/tcp',
      'x',
      'x tcp',
      'x 1',
      'x 1tcp',
      'x /tcp',
      'x -1/tcp',
      'x 123456/tcp',
      '  #',
    ];
    assert.equal(parseServices(lines.join('\n')).size, 0);
  });

  it('gives no port that there is not', () => {
    for (const port of [65536, 99999]) assert.equal(parseServices(`x ${port}/tcp`).get('x/tcp'), undefined);
  });

  it('takes any text', () => {
    fc.assert(fc.property(fc.string(), text => void parseServices(text)));
    const line = fc.tuple(fc.stringMatching(/^[a-z]{1,5}$/), fc.nat(65535), fc.constantFrom('tcp', 'udp'));
    fc.assert(
      fc.property(fc.array(line), lines => {
        const ports = parseServices(
          lines.map(([name, port, protocol]) => `${name} ${port}/${protocol}`).join('\n'),
        );
        for (const [name, , protocol] of lines) {
          const first = lines.find(other => other[0] === name && other[2] === protocol)!;
          assert.equal(ports.get(`${name}/${protocol}`), first[1]);
        }
      }),
    );
  });
});

describe('servicePort', () => {
  it("knows Plan 9's services and the common ones, with or without /etc/services", () => {
    const known = { '9fs': 564, exportfs: 17007, rcpu: 17019, ssh: 22, http: 80, HTTPS: 443, domain: 53 };
    for (const [name, port] of Object.entries(known)) assert.equal(servicePort(name, 'tcp'), port, name);
  });

  it('knows nothing else', () => {
    for (const name of ['', 'no-such-service', 'toString', '__proto__', '80']) {
      assert.equal(servicePort(name, 'tcp'), undefined, name);
    }
  });
});
