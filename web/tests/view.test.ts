import { describe, expect, it } from 'vitest';

import { filterQuery, NODES_VIEW, pageQuery } from '../src/nodes/view';
import { parsePlace, renderPlace } from '../src/map/place';
import { poolPath, routeOf } from '../src/state/routes';
import { parseView, renderView } from '../src/state/view';

const parse = (query: string) => parseView(NODES_VIEW, new URLSearchParams(query));

describe('the state of a view', () => {
  it('is plain for a plain address and gives a plain address', () => {
    const plain = parse('');
    expect(plain).toMatchObject({ q: '', status: '', sort: 'host_name', order: 'asc', page: 1 });
    expect(renderView(NODES_VIEW, plain)).toBe('');
  });

  it('survives its address', () => {
    const view = {
      ...parse(''),
      q: 'a&b=ü',
      status: 'dial_failed' as const,
      page: 3,
      columns: ['address', 'rtt_ms'],
    };
    expect(parse(renderView(NODES_VIEW, view))).toEqual(view);
  });

  it('takes the default where an address makes no sense', () => {
    expect(parse('page=-1&order=sideways&status=fine&columns=nothing')).toEqual({
      ...parse(''),
      columns: [],
    });
    expect(parse('page=2.5').page).toBe(1);
    expect(parse('page=99999999999').page).toBe(1);
  });

  it('asks the manager for one page, and for all of it as CSV', () => {
    const view = parse('q=x&page=3&sort=rtt_ms&order=desc');
    expect(pageQuery(view)).toMatchObject({ q: 'x', sort: 'rtt_ms', order: 'desc', limit: 50, offset: 100 });
    expect(filterQuery(view)).not.toHaveProperty('limit');
  });
});

describe('routes', () => {
  it.each([
    ['', { page: 'pools', params: {} }],
    ['login', { page: 'login', params: {} }],
    ['pools/new', { page: 'new_pool', params: {} }],
    ['pools/demo', { page: 'pool', pool: 'demo', tab: 'overview' }],
    ['pools/demo/nodes/', { page: 'pool', pool: 'demo', tab: 'nodes' }],
    ['pools/new/nodes', { page: 'pool', pool: 'new', tab: 'nodes' }],
    ['pools/demo/files/a%2Fb/c', { page: 'pool', tab: 'files', params: { pool: 'demo', path: 'a/b/c' } }],
    ['tasks', { page: 'tasks' }],
    ['tasks/184', { page: 'task', params: { task: '184' } }],
    ['tasks/x', { page: 'not_found', params: { path: 'tasks/x' } }],
    ['pools/demo/nothing', { page: 'not_found', params: { path: 'pools/demo/nothing' } }],
    ['%', { page: 'not_found', params: { path: '%' } }],
  ])('%s', (path, route) => expect(routeOf(path)).toMatchObject(route));

  it('lead back to the pool they were made for', () => {
    expect(routeOf(poolPath('a/b', 'map'))).toMatchObject({ page: 'pool', pool: 'a/b', tab: 'map' });
  });
});

describe('the place of the map', () => {
  it('survives its address', () => {
    expect(parsePlace(renderPlace({ lon: 4.84, lat: 45.76, k: 12.5 }))).toEqual({
      lon: 4.84,
      lat: 45.76,
      k: 12.5,
    });
    expect(renderPlace({ lon: 4, lat: 4, k: 1 })).toBe('');
  });

  it.each(['', '1,2', '1,2,x', '1,2,3,4', '200,0,2', '0,91,2', '0,0,0.5', ',,'])('%s is none', (text) =>
    expect(parsePlace(text)).toBeUndefined(),
  );
});
