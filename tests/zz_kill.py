import random,signal,time
from collections import Counter
from tests.test_hubspot_faults import *
from tests.test_hubspot_enrolment import _start
def test_it(opened):
    with opened("quiet",contacts=2500) as q:
        q.portal.knobs.limited=False
        assert q.code()==0; end=q.end()
    with opened("killed",contacts=2500) as shop:
        shop.portal.knobs.limited=False; shop.portal.knobs.latency=0.05
        dice=random.Random(5); t=time.time(); inflight=[]
        for k in range(14):
            p=_start(shop); n0=len(shop.portal.log)
            began=time.monotonic(); target=dice.randrange(1,110)
            while len(shop.portal.log)<n0+target and p.poll() is None and time.monotonic()-began<20: time.sleep(.001)
            p.send_signal(signal.SIGKILL); p.wait(); inflight.append((target,len(shop.portal.written)))
            if time.time()-t>120: break
        shop.portal.knobs.latency=0
        print(inflight, shop.finish())
        sent=Counter((w.kind,w.id,w.name) for w in shop.portal.written)
        print("sent more than once",sum(v>1 for v in sent.values()),"max",max(sent.values()),"of",len(sent), "kills",len(inflight))
        assert shop.end()==end
        assert set(shop.times_changed().values())=={1}
