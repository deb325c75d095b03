// All accounts: search, filter, order, page by page. The worker sorts and filters; the page asks once a second.
import { accountLink, chips, fill, flag, h, panel, row, scroller, sign, table, text, used } from './dom.js';
import { age, count, percent, usd } from './format.js';
import { tiles } from './desk.js';
import { store } from './store.js';
import { get } from './stream.js';

const STATUSES = ['healthy', 'warning', 'margin_call', 'liquidation', 'bankrupt', 'recovered'];
const SORTS = [['u', 'MM / equity'], ['v', 'IM / equity'], ['status', 'status'], ['equity', 'equity'], ['requirement', 'requirement'], ['account', 'name']];
const LIMIT = 100;
const OLD_S = 60;

export function accountsView(_, query) {
  const chosen = new Set((query.get('status') ?? '').split(',').filter(Boolean));
  let held = query.get('held') === '1';
  let search = query.get('q') ?? '';
  let sort = 'u';
  let offset = 0;
  let number = 0;
  const counts = tiles();
  const columns = [['account'], ['status'], ['equity, USD', 'n'], ['IM, USD', 'n'], ['MM, USD', 'n'], ['IM / equity', 'n'], ['MM / equity', 'n'], ['age', 'n'], ['model'], ['figures']];
  const list = table('Accounts', columns);
  const again = () => { offset = 0; refresh(); };
  const input = h('input', { type: 'search', placeholder: 'Account', 'aria-label': 'Search accounts', value: search, oninput: (event) => { search = event.target.value; again(); } });
  const order = h('select', { id: 'order', onchange: (event) => { sort = event.target.value; again(); } }, SORTS.map(([value, label]) => h('option', { value }, label)));
  const hold = h('label', { class: 'chip' }, h('input', { type: 'checkbox', checked: held, onchange: (event) => { held = event.target.checked; again(); } }), sign('data_hold', 'on data hold'));
  const told = h('p', { class: 'note' });
  const back = h('button', { type: 'button', onclick: () => { offset = Math.max(0, offset - LIMIT); refresh(); } }, 'Before');
  const on = h('button', { type: 'button', onclick: () => { offset += LIMIT; refresh(); } }, 'Next');

  async function refresh() {
    if (store.pulse) counts.show(store.pulse);
    number += 1;
    const mine = number;
    const asked = new URLSearchParams({ sort, limit: String(LIMIT), offset: String(offset) });
    if (search.trim()) asked.set('q', search.trim());
    if (chosen.size) asked.set('status', [...chosen].join(','));
    if (held) asked.set('held', '1');
    const found = await get(`/api/v1/accounts?${asked}`);
    if (mine !== number) return;
    fill(list.body, found.accounts, (one) => one.account, (one) => {
      const old = found.market_time_us ? Math.max(0, (found.market_time_us - one.time_us) / 1e6) : null;
      const state = h('span', {}, sign(one.status), one.data_hold ? [' ', sign('data_hold', 'held')] : []);
      return row(columns, [accountLink(one.account), state, usd(one.equity_usd), usd(one.im_requirement_usd), usd(one.mm_requirement_usd), percent(one.v), used(one.u, one.status),
        old > OLD_S ? flag(age(old)) : h('span', { class: 'old' }, age(old)), one.model, one.here ? 'evaluated here' : 'as published']);
    });
    const last = offset + found.accounts.length;
    text(told, found.matching ? `${count(offset + 1)} to ${count(last)} of ${count(found.matching)} that fit, of ${count(found.total)} accounts` : `No account fits, of ${count(found.total)}.`);
    back.disabled = offset === 0;
    on.disabled = last >= found.matching;
  }

  return {
    content: [h('div', { class: 'title' }, h('h1', {}, 'Accounts')), counts.list,
      panel('All accounts', { headClass: 'one', head: [input, chips('Status', STATUSES, chosen, again), hold, h('label', { class: 'check' }, 'order by', order)] },
        scroller('Accounts', list.table), h('div', { class: 'foot' }, told, back, on))],
    refresh: (what) => (what === 'pulse' || what === 'shown' || what === 'loaded') && refresh().catch(() => {}),
  };
}

