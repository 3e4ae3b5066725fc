/** The host's users and groups by way of the C library, so that every NSS source counts. */
import koffi from 'koffi';
import type { Caller, Users } from '../policy/identity.ts';

const libc = koffi.load('libc.so.6');

const Passwd = koffi.struct('passwd', {
  pw_name: 'str',
  pw_passwd: 'str',
  pw_uid: 'uint32_t',
  pw_gid: 'uint32_t',
  pw_gecos: 'str',
  pw_dir: 'str',
  pw_shell: 'str',
});
const Group = koffi.struct('group', {
  gr_name: 'str',
  gr_passwd: 'str',
  gr_gid: 'uint32_t',
  gr_mem: 'void *',
});
const passwdPointer = koffi.pointer(Passwd);
const groupPointer = koffi.pointer(Group);

const getpwnam = libc.func('getpwnam', passwdPointer, ['str']);
const getpwuid = libc.func('getpwuid', passwdPointer, ['uint32_t']);
const getgrnam = libc.func('getgrnam', groupPointer, ['str']);
const getgrgid = libc.func('getgrgid', groupPointer, ['uint32_t']);
const getgrouplist = libc.func(
  'int getgrouplist(const char *user, uint32_t group, _Out_ uint32_t *groups, _Inout_ int *count)',
);

interface PasswdEntry {
  pw_name: string;
  pw_uid: number;
  pw_gid: number;
}

/** The entry behind a pointer, copied at once: the C library reuses the memory. */
function passwd(pointer: unknown): PasswdEntry | undefined {
  return pointer === null ? undefined : (koffi.decode(pointer, Passwd) as PasswdEntry);
}

function group(pointer: unknown): { gr_name: string; gr_gid: number } | undefined {
  return pointer === null ? undefined : (koffi.decode(pointer, Group) as { gr_name: string; gr_gid: number });
}

/** NGROUPS_MAX (limits.h) */
const MAX_GROUPS = 65536;

/** All groups of a user, the primary one among them. */
export function groupsOf(name: string, gid: number, room = 64): number[] {
  const groups = new Uint32Array(room);
  const count = [room];
  if ((getgrouplist(name, gid, groups, count) as number) >= 0) return [...groups.subarray(0, count[0])];
  return room >= MAX_GROUPS ? [gid] : groupsOf(name, gid, MAX_GROUPS);
}

function caller(entry: PasswdEntry | undefined): Caller | undefined {
  if (entry === undefined) return undefined;
  const { pw_name: name, pw_uid: uid, pw_gid: gid } = entry;
  return { name, uid, gid, groups: groupsOf(name, gid) };
}

const safe = (name: string): boolean => name !== '' && !name.includes('\0');

/** How long a shown name is believed; a listing of 10,000 files asks for the same few. */
const NAMES_MS = 10_000;

/** `now` in milliseconds; only for the age of cached names. Who may what is looked up each time. */
export function hostUsers(now: () => number = Date.now): Users {
  const userNames = cached(now, uid => passwd(getpwuid(uid))?.pw_name ?? String(uid));
  const groupNames = cached(now, gid => group(getgrgid(gid))?.gr_name ?? String(gid));
  return {
    byName: name => (safe(name) ? caller(passwd(getpwnam(name))) : undefined),
    byId: uid => caller(passwd(getpwuid(uid))),
    userName: userNames,
    groupName: groupNames,
    groupId: name => (safe(name) ? group(getgrnam(name))?.gr_gid : undefined),
  };
}

function cached(now: () => number, look: (id: number) => string): (id: number) => string {
  const names = new Map<number, { name: string; until: number }>();
  return id => {
    const known = names.get(id);
    if (known !== undefined && known.until > now()) return known.name;
    const name = look(id);
    names.set(id, { name, until: now() + NAMES_MS });
    return name;
  };
}
