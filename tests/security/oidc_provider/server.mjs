// An OAuth and OIDC server that shares nothing with Tandem: oidc-provider, which is a
// certified implementation. PKCE is required, refresh tokens rotate, and whoever presents
// one that was used before loses all tokens of that grant.
//
// Settings come as one JSON object in OIDC_SETTINGS; one line on stdout says that it
// serves. /test/counts says what happened; nothing else here is for tests.

import Provider from 'oidc-provider';

const settings = JSON.parse(process.env.OIDC_SETTINGS);
const issuer = `http://127.0.0.1:${settings.port}`;
const counts = { exchanges: 0, refreshes: 0, refused: {}, revocations: 0 };

const provider = new Provider(issuer, {
  clients: settings.clients,
  cookies: { keys: [settings.cookie_key] },
  scopes: ['openid', 'offline_access', ...settings.scopes],
  claims: { openid: ['sub'], profile: ['name'] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async (_ctx, client, code) =>
    client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
  ttl: { AccessToken: settings.lifetime_s },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `Account of ${id}` }),
  }),
});

provider.on('grant.success', (ctx) => {
  const isRefresh = ctx.oidc.params.grant_type === 'refresh_token';
  counts[isRefresh ? 'refreshes' : 'exchanges'] += 1;
});
provider.on('grant.error', (_ctx, err) => {
  counts.refused[err.error] = (counts.refused[err.error] ?? 0) + 1;
});
provider.on('grant.revoked', () => {
  counts.revocations += 1;
});
provider.use(async (ctx, next) => {
  if (ctx.path !== '/test/counts') return next();
  ctx.body = counts;
});

provider.listen(settings.port, '127.0.0.1', () => console.log(`serving ${issuer}`));
