import './style/tokens.css';
import './style/base.css';

import { mount } from 'svelte';

import App from './App.svelte';
import { preferences } from './state/preferences.svelte';

// Before the first paint, so that the page never shows in the wrong theme.
preferences.applyTheme();

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
mount(App, { target });
