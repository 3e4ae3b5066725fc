/**
 * A path as people write it, relative to the served tree: `/net/tcp/0`, `/tcp/0` and `tcp/0` are one.
 * The tree is /net, so a leading `net` means it only after a slash.
 */
export function treePath(text: string): string {
  return text.replace(/^\/+net(\/+|$)/, '').replace(/^\/+/, '');
}
