/** A guest's page: its URL has the guest's JWT. */

import { guest, Problem } from '@holdfast/client';
import { openForm } from '../ui/open-form';
import { startOpenPage } from '../ui/page';
import { tokenInAddress } from '../ui/token';

const token = tokenInAddress();
void startOpenPage(guest(token ?? ''), (holdfast) => {
  if (token === null) throw new Problem(403, 'LINK_001');
  openForm(holdfast);
});
