from __future__ import annotations
import torch
class Optimizer:
    def __init__(self, network, lr=2e-3, weight_decay=0.1):
        self.network=network
        self.params=list(network.parameters()); self.lr=lr
        self.opt=torch.optim.AdamW(self.params, lr=lr, betas=(.9,.98), weight_decay=weight_decay)
    def zero_grad(self): self.opt.zero_grad(set_to_none=True)
    def step(self, rate):
        for g in self.opt.param_groups: g['lr']=self.lr*rate
        torch.nn.utils.clip_grad_norm_(self.params,1.0)
        self.opt.step()
    def snapshot(self):
        return {'w.'+k:v.detach().clone() for k,v in self.network.state_dict().items()}
    def restore(self,t):
        self.network.load_state_dict({k[2:]:v for k,v in t.items()})
