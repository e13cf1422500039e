import type { Person, Role } from '../api/types';
import { hasRole } from './may';
import type { PageName, Route } from './routes';

/** A part of the application, as the navigation lists it. */
export interface Section {
  text: string;
  href: string;
  /** Pages that belong to it. */
  pages: readonly (PageName | 'pool')[];
  /** The least role that sees it; without it, anybody. */
  needs?: Role;
}

const SECTIONS: Section[] = [
  { text: 'Pools', href: './', pages: ['pools', 'new_pool', 'pool'] },
  { text: 'Tasks', href: 'tasks', pages: ['tasks', 'task'], needs: 'viewer' },
  { text: 'Schedules', href: 'schedules', pages: ['schedules'], needs: 'viewer' },
  {
    text: 'Workflows',
    href: 'workflows',
    pages: ['workflows', 'workflow', 'new_workflow', 'workflow_runs', 'workflow_run'],
    needs: 'viewer',
  },
  { text: 'Alerts', href: 'alerts', pages: ['alerts', 'alert_targets'], needs: 'viewer' },
  { text: 'Users', href: 'users', pages: ['users'], needs: 'super_administrator' },
  { text: 'Roles', href: 'roles', pages: ['roles'], needs: 'viewer' },
  { text: 'Audit log', href: 'audit', pages: ['audit'], needs: 'administrator' },
  { text: 'Settings', href: 'settings', pages: ['settings'], needs: 'viewer' },
];

/** The sections that this person sees. */
export function sections(person: Person | undefined): Section[] {
  return SECTIONS.filter((section) => !section.needs || hasRole(person, section.needs));
}

/** A page belongs to this section. */
export function isIn(section: Section, route: Route): boolean {
  return (section.pages as readonly string[]).includes(route.page);
}
